// The decoder: its weights, and sessions that read tokens and remember their keys and values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "matrix.h"
#include "pool.h"

namespace hanlin {

struct Shape {
    size_t vocab, context, width, layers, heads, kv_heads, head_dim, inner;
    bool gpt2;      // LayerNorm, learned positions and GELU; otherwise RMSNorm, rotary and SwiGLU
    bool tied;      // the head is the embedding
    size_t band;    // what odd layers see, in tokens; 0 where all are dense
    float norm_eps;
};

using Vector = std::vector<float>;

struct Layer {
    Vector attention_norm, attention_norm_bias, mlp_norm, mlp_norm_bias, query_norm, key_norm;
    Matrix qkv, output, gate, up, down;
    Vector qkv_bias, output_bias, up_bias, down_bias;
};

class Session;

// Tokens that one session reads after those that it has read before, and after which of them logits
// are wanted.
struct Stretch {
    enum class Logits { none, last, all };

    Session* session;
    const int64_t* tokens;
    size_t count;
    Logits wanted;
};

// What one thread needs for itself.
struct Bench {
    Buffer input, wide, wide_scales, wide_sums, narrow, narrow_scales, narrow_sums;
    Buffer query, gathered, scores;
    size_t scores_room = 0;
};

class Model {
public:
    // Throws std::invalid_argument for a shape that cannot be.
    Model(const Shape& shape, int threads, const std::string& instructions);

    // Find a matrix or a vector by the name of the parameter in hanlin.models, the gate and the up
    // matrix apart.  Throws std::invalid_argument for a name that this shape has not.
    Matrix& matrix(const std::string& name);
    Vector& vector(const std::string& name);
    void set_rotary(const Vector& frequencies) { frequencies_ = frequencies; }
    // Check that everything is there; afterwards sessions may begin.
    void seal();

    const Shape& shape() const { return shape_; }
    const char* instructions() const { return kernels_.name; }
    int threads() const { return pool_.threads(); }
    size_t weight_bytes() const;       // all that is held
    size_t bytes_per_token() const;    // what writing one token reads, without the cache

    // y (rows, N) = x (rows, K) W^T with the matrix of that name: what a test compares.
    void product(const std::string& name, const float* x, size_t rows, float* y);

    // Each session reads tokens of its own, side by side in as few passes over the weights as hold
    // them all.  Writes the logits that are wanted, in order (wanted, vocab), and, where there is
    // room for them, the states that the head reads of all tokens (tokens, width); to the bit the
    // same whoever else reads.  Throws std::invalid_argument for a token or a session that cannot be
    // read, and for a session named twice; nothing is read then.
    void read(const std::vector<Stretch>& stretches, float* logits, float* states = nullptr);

    struct Range {
        size_t first, last;
    };

private:
    friend class Session;
    friend struct Pass;

    // Write thread `number`'s rows of the product, with their bias; returns which rows those are.
    Range multiply(const Matrix& matrix, const Vector& bias, const float* input, size_t in_stride,
                   size_t rows, float* y, size_t y_stride, int number);
    void check(const Matrix& matrix, size_t rows, size_t columns, const std::string& name) const;
    void check(const Vector& vector, size_t count, const std::string& name) const;
    void check(const std::vector<Stretch>& stretches) const;
    void make_room();
    void make_scores(size_t capacity);
    void make_turns(size_t places);

    const Shape shape_;
    const Kernels& kernels_;
    Pool pool_;
    std::mutex busy_;  // one session computes at a time
    Matrix embedding_, positions_, unembedding_;
    Vector norm_, norm_bias_, frequencies_;
    Vector turns_;  // for each place the cosines of its angles, then their sines
    std::vector<Layer> layers_;
    std::unordered_map<std::string, Matrix*> matrices_;
    std::unordered_map<std::string, Vector*> vectors_;
    bool sealed_ = false;

    // Rows of activations, a few tokens at once; each padded to its stride.
    Buffer stream_, qkv_rows_, heard_, inner_, gate_rows_, delta_;
    std::vector<Bench> benches_;
};

// A text that is read token by token.
class Session {
public:
    // Throws std::invalid_argument if the model is not sealed or `capacity` exceeds its context.
    Session(Model& model, size_t capacity, Cache cache);

    // Forget all tokens after the first `length`.
    void rewind(size_t length);
    // Hold the first `length` tokens of another text, in place of what was held: to the bit what
    // reading them would leave.  Throws std::invalid_argument if there are not so many, or no room,
    // or if the other keeps its keys and values otherwise.
    void take_over(const Session& other, size_t length);

    size_t length() const { return length_; }
    size_t capacity() const { return capacity_; }
    Cache cache() const { return cache_; }
    size_t bytes() const;  // of all keys and values that there is room for
    size_t vocab() const { return model_.shape().vocab; }
    Model& model() const { return model_; }

private:
    friend class Model;
    friend struct Pass;

    // The rows of one head, from that of place `first` on.
    Kept keys(size_t layer, size_t head, size_t first) const;
    Kept values(size_t layer, size_t head, size_t first) const;
    Kept stretch(size_t number, size_t first) const;
    size_t scale_bytes() const { return cache_ == Cache::int8 ? sizeof(float) : 0; }

    Model& model_;
    const Cache cache_;
    const size_t capacity_, padded_dim_, row_bytes_;
    size_t length_ = 0;
    Buffer memory_;
};

}  // namespace hanlin
