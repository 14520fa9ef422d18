// One pass of a few tokens through the decoder, by all threads of the pool together.
//
// Every thread walks through all layers.  It owns a range of the rows of each matrix and of the
// heads, so that it reads one sequential stream of weights; norms and the rounding of activations
// are done by each thread for itself, which costs less than a barrier.  Five barriers a layer part
// what one thread writes from what all of them read.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <unordered_set>

#include "model.h"

namespace hanlin {
namespace {

constexpr size_t kTokensAtOnce = 48;  // what stays in a second cache while a panel passes

Model::Range share(size_t count, int number, int threads) {
    return {count * size_t(number) / size_t(threads), count * size_t(number + 1) / size_t(threads)};
}

size_t stride_of(size_t columns) { return round_up(columns, kStrideMultiple); }

}  // namespace

void Model::make_room() {
    const Shape& s = shape_;
    const size_t queries = s.heads * s.head_dim;
    const size_t rows = queries + 2 * s.kv_heads * s.head_dim;
    const auto floats = [](size_t width) {
        return Buffer(kTokensAtOnce * stride_of(width) * sizeof(float));
    };
    stream_ = floats(s.width);
    qkv_rows_ = floats(rows);
    heard_ = floats(queries);
    inner_ = floats(s.inner);
    gate_rows_ = floats(s.inner);
    delta_ = floats(s.width);
    const size_t widest = std::max({s.width, queries, s.inner});
    const size_t groups = stride_of(widest) / 32;  // the smallest group of int4
    benches_.resize(size_t(pool_.threads()));
    for (Bench& bench : benches_) {
        bench.input = floats(s.width);
        bench.wide = Buffer(kTokensAtOnce * stride_of(widest) * sizeof(int16_t));
        bench.wide_scales = Buffer(kTokensAtOnce * sizeof(float));
        bench.wide_sums = Buffer(kTokensAtOnce * sizeof(int32_t));
        bench.narrow = Buffer(kTokensAtOnce * stride_of(widest));
        bench.narrow_scales = Buffer(kTokensAtOnce * groups * sizeof(float));
        bench.narrow_sums = Buffer(kTokensAtOnce * groups * sizeof(float));
        bench.query = Buffer(round_up(s.head_dim, 8) * sizeof(float));
        bench.gathered = Buffer(round_up(s.head_dim, 8) * sizeof(float));
    }
}

// Write this thread's rows of the product, with their bias; returns which rows those are.
Model::Range Model::multiply(const Matrix& matrix, const Vector& bias, const float* input,
                             size_t in_stride, size_t rows, float* y, size_t y_stride,
                             int number) {
    const Bench& bench = benches_[size_t(number)];
    const Panels& panels = matrix.panels();
    const Activations x{input,
                        bench.wide.as<int16_t>(),
                        bench.wide_scales.as<float>(),
                        bench.wide_sums.as<int32_t>(),
                        bench.narrow.as<int8_t>(),
                        bench.narrow_scales.as<float>(),
                        bench.narrow_sums.as<float>(),
                        int(in_stride),
                        int(in_stride / 32)};
    const Range mine = share(matrix.num_panels(), number, pool_.threads());
    kernels_.quantise(panels, x, int(rows));
    kernels_.multiply(panels, x, int(rows), mine.first, mine.last, y, y_stride);
    const Range range{std::min(mine.first * kPanelRows, matrix.rows()),
                      std::min(mine.last * kPanelRows, matrix.rows())};
    if (!bias.empty())
        for (size_t t = 0; t < rows; ++t)
            for (size_t r = range.first; r < range.last; ++r) y[t * y_stride + r] += bias[r];
    return range;
}

void Model::product(const std::string& name, const float* x, size_t rows, float* y) {
    const Matrix& m = matrix(name);
    if (!sealed_ || m.empty()) throw std::invalid_argument("the model is not complete");
    std::lock_guard<std::mutex> alone(busy_);
    const size_t stride = stride_of(m.columns());
    Buffer input(kTokensAtOnce * stride * sizeof(float));
    Buffer output(kTokensAtOnce * m.padded_rows() * sizeof(float));
    for (size_t done = 0; done < rows;) {
        const size_t now = std::min(kTokensAtOnce, rows - done);
        for (size_t t = 0; t < now; ++t)
            std::memcpy(input.as<float>() + t * stride, x + (done + t) * m.columns(),
                        m.columns() * sizeof(float));
        pool_.run([&](int number) {
            multiply(m, Vector(), input.as<float>(), stride, now, output.as<float>(),
                     m.padded_rows(), number);
        });
        for (size_t t = 0; t < now; ++t)
            std::memcpy(y + (done + t) * m.rows(), output.as<float>() + t * m.padded_rows(),
                        m.rows() * sizeof(float));
        done += now;
    }
}

// A token that is read: which, by whom, and after how many others.
struct Row {
    const Session* session;
    size_t token, place;
    bool wanted;  // whether its logits are
};

struct Pass {
    Model& model;
    const Row* rows;
    const size_t count;  // at most kTokensAtOnce
    float* logits;       // of the wanted rows, one after another

    const Shape& s = model.shape_;
    const Kernels& kernels = model.kernels_;
    const size_t stride = stride_of(s.width);

    void work(int number) {
        embed(number);
        model.pool_.barrier();
        for (size_t layer = 0; layer < s.layers; ++layer) {
            attention(layer, number);
            mlp(layer, number);
        }
        head(number);
    }

    // The state of a token that a head reads, once the work is done.
    const float* state(size_t t) {
        float* y = model.benches_.front().input.as<float>();
        norm(model.norm_, model.norm_bias_, t, y);
        return y;
    }

private:
    using Range = Model::Range;

    void embed(int number) {
        const Range mine = share(count, number, model.pool_.threads());
        float* place = model.benches_[size_t(number)].input.as<float>();
        for (size_t t = mine.first; t < mine.last; ++t) {
            float* x = model.stream_.as<float>() + t * stride;
            model.embedding_.read_row(rows[t].token, x);
            if (!s.gpt2) continue;
            model.positions_.read_row(rows[t].place, place);
            for (size_t k = 0; k < s.width; ++k) x[k] += place[k];
        }
    }

    void attention(size_t number_of_layer, int number) {
        const Layer& layer = model.layers_[number_of_layer];
        const size_t queries = s.heads * s.head_dim;
        const float* normed =
            norm(layer.attention_norm, layer.attention_norm_bias, number);
        const size_t row_stride = stride_of(layer.qkv.rows());
        float* qkv = model.qkv_rows_.as<float>();
        model.multiply(layer.qkv, layer.qkv_bias, normed, stride, count, qkv, row_stride, number);
        model.pool_.barrier();
        const Range heads = share(s.kv_heads, number, model.pool_.threads());
        for (size_t head = heads.first; head < heads.last; ++head) {
            remember(layer, number_of_layer, head, qkv, row_stride, number);
            listen(layer, number_of_layer, head, qkv, row_stride, number);
        }
        model.pool_.barrier();
        add(layer.output, layer.output_bias, model.heard_.as<float>(), stride_of(queries), number);
        model.pool_.barrier();
    }

    void mlp(size_t number_of_layer, int number) {
        const Layer& layer = model.layers_[number_of_layer];
        const float* normed = norm(layer.mlp_norm, layer.mlp_norm_bias, number);
        const size_t row_stride = stride_of(s.inner);
        float* up = model.inner_.as<float>();
        float* gate = model.gate_rows_.as<float>();
        const Range mine =
            model.multiply(layer.up, layer.up_bias, normed, stride, count, up, row_stride, number);
        if (!s.gpt2)
            model.multiply(layer.gate, Vector(), normed, stride, count, gate, row_stride, number);
        for (size_t t = 0; t < count; ++t) {
            const size_t at = t * row_stride + mine.first;
            if (s.gpt2)
                kernels.gelu(up + at, mine.last - mine.first);
            else
                kernels.swiglu(gate + at, up + at, mine.last - mine.first);
        }
        model.pool_.barrier();
        add(layer.down, layer.down_bias, up, row_stride, number);
        model.pool_.barrier();
    }

    void head(int number) {
        const Matrix& matrix = s.tied ? model.embedding_ : model.unembedding_;
        float* normed = model.benches_[size_t(number)].input.as<float>();
        size_t wanted = 0;
        for (size_t t = 0; t < count; ++t)
            if (rows[t].wanted) norm(model.norm_, model.norm_bias_, t, normed + stride * wanted++);
        if (wanted > 0)
            model.multiply(matrix, Vector(), normed, stride, wanted, logits, matrix.padded_rows(),
                           number);
    }

    // Norm the residual stream into this thread's input.
    const float* norm(const Vector& gain, const Vector& bias, int number) {
        float* y = model.benches_[size_t(number)].input.as<float>();
        for (size_t t = 0; t < count; ++t) norm(gain, bias, t, y + t * stride);
        return y;
    }

    void norm(const Vector& gain, const Vector& bias, size_t t, float* y) {
        const float* x = model.stream_.as<float>() + t * stride;
        if (s.gpt2)
            kernels.layer_norm(x, gain.data(), bias.data(), s.norm_eps, int(s.width), y);
        else
            kernels.rms_norm(x, gain.data(), s.norm_eps, int(s.width), y);
    }

    // Add this thread's rows of the product to the residual stream.
    void add(const Matrix& matrix, const Vector& bias, const float* input, size_t in_stride,
             int number) {
        float* delta = model.delta_.as<float>();
        float* x = model.stream_.as<float>();
        const Range mine =
            model.multiply(matrix, bias, input, in_stride, count, delta, stride, number);
        for (size_t t = 0; t < count; ++t)
            for (size_t r = mine.first; r < mine.last; ++r) x[t * stride + r] += delta[t * stride + r];
    }

    // Put the keys and values of one head into the cache.
    void remember(const Layer& layer, size_t number_of_layer, size_t head, const float* qkv,
                  size_t row_stride, int number) {
        const size_t dim = s.head_dim;
        float* padded = model.benches_[size_t(number)].query.as<float>();
        for (size_t t = 0; t < count; ++t) {
            const Session& session = *rows[t].session;
            const size_t place = rows[t].place;
            const int width = int(session.padded_dim_);
            const float* key = qkv + t * row_stride + (s.heads + head) * dim;
            const float* value = key + s.kv_heads * dim;
            turn(key, layer.key_norm, place, padded);
            kernels.keep(padded, session.cache_, width, session.keys(number_of_layer, head, place));
            std::memcpy(padded, value, dim * sizeof(float));
            kernels.keep(padded, session.cache_, width,
                         session.values(number_of_layer, head, place));
        }
    }

    // Let the query heads that share a key head gather from what they see.
    void listen(const Layer& layer, size_t number_of_layer, size_t head, const float* qkv,
                size_t row_stride, int number) {
        const size_t dim = s.head_dim, group = s.heads / s.kv_heads;
        Bench& bench = model.benches_[size_t(number)];
        const bool banded = s.band != 0 && number_of_layer % 2 == 1;
        const float scale = 1.0f / std::sqrt(float(dim));
        for (size_t h = head * group; h < (head + 1) * group; ++h)
            for (size_t t = 0; t < count; ++t) {
                const Session& session = *rows[t].session;
                const size_t end = rows[t].place + 1;
                const size_t first = banded && end > s.band ? end - s.band : 0;
                float* query = bench.query.as<float>();
                float* out = bench.gathered.as<float>();
                turn(qkv + t * row_stride + h * dim, layer.query_norm, end - 1, query);
                kernels.attend(query, session.cache_, session.keys(number_of_layer, head, first),
                               session.values(number_of_layer, head, first), int(end - first),
                               int(session.padded_dim_), scale, bench.scores.as<float>(), out);
                float* heard = model.heard_.as<float>() + t * stride_of(s.heads * dim) + h * dim;
                std::memcpy(heard, out, dim * sizeof(float));
            }
    }

    // Norm a query or a key and turn it by its place, as its family does.
    void turn(const float* x, const Vector& gain, size_t place, float* y) {
        const size_t dim = s.head_dim, half = dim / 2;
        if (gain.empty())
            std::memcpy(y, x, dim * sizeof(float));
        else
            kernels.rms_norm(x, gain.data(), s.norm_eps, int(dim), y);
        if (s.gpt2) return;
        const float* cosines = model.turns_.data() + place * dim;
        const float* sines = cosines + half;
        for (size_t i = 0; i < half; ++i) {
            const float first = y[i], second = y[i + half];
            y[i] = first * cosines[i] - second * sines[i];
            y[i + half] = second * cosines[i] + first * sines[i];
        }
    }
};

// The cosines and sines of places that no text has reached before.
void Model::make_turns(size_t places) {
    const size_t half = frequencies_.size();
    for (size_t place = half ? turns_.size() / (2 * half) : places; place < places; ++place) {
        for (float frequency : frequencies_) turns_.push_back(std::cos(float(place) * frequency));
        for (float frequency : frequencies_) turns_.push_back(std::sin(float(place) * frequency));
    }
}

void Model::make_scores(size_t capacity) {
    for (Bench& bench : benches_)
        if (bench.scores_room < capacity) {
            bench.scores = Buffer(capacity * sizeof(float));
            bench.scores_room = capacity;
        }
}

void Model::check(const std::vector<Stretch>& stretches) const {
    if (stretches.empty()) throw std::invalid_argument("no sessions to read");
    std::unordered_set<const Session*> seen;
    for (const auto& [session, tokens, count, wanted] : stretches) {
        if (&session->model_ != this) throw std::invalid_argument("a session of another model");
        if (!seen.insert(session).second) throw std::invalid_argument("the same session twice");
        if (count == 0) throw std::invalid_argument("no tokens to read");
        if (count > session->capacity_ - session->length_)
            throw std::invalid_argument(std::to_string(count) + " tokens after " +
                                        std::to_string(session->length_) + " in a session of " +
                                        std::to_string(session->capacity_));
        for (size_t t = 0; t < count; ++t)
            if (tokens[t] < 0 || size_t(tokens[t]) >= shape_.vocab)
                throw std::invalid_argument("token " + std::to_string(tokens[t]) +
                                            " of a vocabulary of " + std::to_string(shape_.vocab));
    }
}

void Model::read(const std::vector<Stretch>& stretches, float* logits, float* states) {
    std::lock_guard<std::mutex> alone(busy_);
    check(stretches);
    std::vector<Row> rows;
    size_t most = 0;  // logits at once
    for (const auto& [session, tokens, count, wanted] : stretches) {
        make_scores(session->capacity_);
        make_turns(session->length_ + count);
        for (size_t t = 0; t < count; ++t) {
            const bool last = wanted == Stretch::Logits::last && t + 1 == count;
            const bool heard = last || wanted == Stretch::Logits::all;
            rows.push_back({session, size_t(tokens[t]), session->length_ + t, heard});
            most += heard && most < kTokensAtOnce;
        }
    }
    const Matrix& head = shape_.tied ? embedding_ : unembedding_;
    const size_t width = head.padded_rows();
    Buffer heard(most * width * sizeof(float));
    for (size_t done = 0; done < rows.size(); done += kTokensAtOnce) {
        const size_t now = std::min(kTokensAtOnce, rows.size() - done);
        Pass pass{*this, rows.data() + done, now, heard.as<float>()};
        pool_.run([&](int number) { pass.work(number); });
        for (size_t t = 0; states != nullptr && t < now; ++t, states += shape_.width)
            std::memcpy(states, pass.state(t), shape_.width * sizeof(float));
        const float* from = heard.as<float>();
        for (size_t t = done; t < done + now; ++t)
            if (rows[t].wanted) {
                std::memcpy(logits, from, shape_.vocab * sizeof(float));
                logits += shape_.vocab, from += width;
            }
    }
    for (const Stretch& stretch : stretches) stretch.session->length_ += stretch.count;
}

}  // namespace hanlin
