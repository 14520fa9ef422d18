#include "model.h"

#include <cstring>
#include <stdexcept>

#include "choosing.h"

namespace hanlin {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument(why); }

void check_shape(const Shape& s) {
    const size_t most = size_t(1) << 31;
    for (size_t number : {s.vocab, s.context, s.width, s.layers, s.heads, s.kv_heads, s.head_dim,
                          s.inner, s.heads * s.head_dim})
        if (number == 0 || number > most) refuse("a size of " + std::to_string(number));
    if (s.heads % s.kv_heads != 0) refuse("query heads that key heads do not divide");
    if (!s.gpt2 && s.head_dim % 2 != 0) refuse("rotary positions in heads of an odd width");
}

}  // namespace

Model::Model(const Shape& shape, int threads, const std::string& instructions)
    : shape_((check_shape(shape), shape)),
      kernels_(choose_kernels(instructions.c_str())),
      pool_(threads >= 1 && threads <= 256 ? threads : (refuse("a number of threads"), 1)),
      layers_(shape.layers) {
    matrices_ = {{"embedding", &embedding_}};
    vectors_ = {{"norm.weight", &norm_}};
    if (shape.gpt2) {
        matrices_["positions"] = &positions_;
        vectors_["norm.bias"] = &norm_bias_;
    }
    if (!shape.tied) matrices_["unembedding"] = &unembedding_;
    for (size_t number = 0; number < shape.layers; ++number) {
        Layer& layer = layers_[number];
        const std::string root = "blocks." + std::to_string(number) + ".";
        matrices_[root + "attention.qkv"] = &layer.qkv;
        matrices_[root + "attention.output"] = &layer.output;
        matrices_[root + "mlp.up"] = &layer.up;
        matrices_[root + "mlp.down"] = &layer.down;
        vectors_[root + "attention_norm.weight"] = &layer.attention_norm;
        vectors_[root + "mlp_norm.weight"] = &layer.mlp_norm;
        vectors_[root + "attention.qkv.bias"] = &layer.qkv_bias;
        if (shape.gpt2) {
            vectors_[root + "attention_norm.bias"] = &layer.attention_norm_bias;
            vectors_[root + "mlp_norm.bias"] = &layer.mlp_norm_bias;
            vectors_[root + "attention.output.bias"] = &layer.output_bias;
            vectors_[root + "mlp.up.bias"] = &layer.up_bias;
            vectors_[root + "mlp.down.bias"] = &layer.down_bias;
        } else {
            matrices_[root + "mlp.gate"] = &layer.gate;
            vectors_[root + "attention.query_norm.weight"] = &layer.query_norm;
            vectors_[root + "attention.key_norm.weight"] = &layer.key_norm;
        }
    }
}

Matrix& Model::matrix(const std::string& name) {
    const auto found = matrices_.find(name);
    if (found == matrices_.end()) refuse("no matrix " + name);
    return *found->second;
}

Vector& Model::vector(const std::string& name) {
    const auto found = vectors_.find(name);
    if (found == vectors_.end()) refuse("no vector " + name);
    return *found->second;
}

void Model::check(const Matrix& matrix, size_t rows, size_t columns,
                  const std::string& name) const {
    if (matrix.rows() != rows || matrix.columns() != columns)
        refuse(name + " has " + std::to_string(matrix.rows()) + " x " +
               std::to_string(matrix.columns()) + " numbers where " + std::to_string(rows) + " x " +
               std::to_string(columns) + " are needed");
}

void Model::check(const Vector& vector, size_t count, const std::string& name) const {
    if (vector.size() != count)
        refuse(name + " has " + std::to_string(vector.size()) + " numbers where " +
               std::to_string(count) + " are needed");
}

void Model::seal() {
    const Shape& s = shape_;
    const size_t queries = s.heads * s.head_dim, rows = queries + 2 * s.kv_heads * s.head_dim;
    check(embedding_, s.vocab, s.width, "embedding");
    check(norm_, s.width, "norm.weight");
    if (s.gpt2) check(positions_, s.context, s.width, "positions");
    if (s.gpt2) check(norm_bias_, s.width, "norm.bias");
    if (!s.gpt2) check(frequencies_, s.head_dim / 2, "rotary frequencies");
    if (!s.tied) check(unembedding_, s.vocab, s.width, "unembedding");
    for (const Layer& layer : layers_) {
        check(layer.qkv, rows, s.width, "qkv");
        check(layer.output, s.width, queries, "output");
        check(layer.up, s.inner, s.width, "up");
        check(layer.down, s.width, s.inner, "down");
        check(layer.attention_norm, s.width, "attention_norm");
        check(layer.mlp_norm, s.width, "mlp_norm");
        if (!layer.qkv_bias.empty()) check(layer.qkv_bias, rows, "qkv.bias");
        if (s.gpt2) {
            check(layer.attention_norm_bias, s.width, "attention_norm.bias");
            check(layer.mlp_norm_bias, s.width, "mlp_norm.bias");
            check(layer.output_bias, s.width, "output.bias");
            check(layer.up_bias, s.inner, "up.bias");
            check(layer.down_bias, s.width, "down.bias");
        } else {
            check(layer.gate, s.inner, s.width, "gate");
            if (!layer.query_norm.empty()) check(layer.query_norm, s.head_dim, "query_norm");
            if (!layer.key_norm.empty()) check(layer.key_norm, s.head_dim, "key_norm");
        }
    }
    make_room();
    sealed_ = true;
}

size_t Model::weight_bytes() const {
    size_t total = 0;
    for (const auto& entry : matrices_) total += entry.second->bytes();
    for (const auto& entry : vectors_) total += 4 * entry.second->size();
    return total;
}

size_t Model::bytes_per_token() const {
    // Of the tables one row is read, unless the embedding is the head as well.
    return weight_bytes() - positions_.bytes() - (shape_.tied ? 0 : embedding_.bytes());
}

Session::Session(Model& model, size_t capacity, Cache cache)
    : model_(model),
      cache_(cache),
      capacity_(capacity),
      padded_dim_(round_up(model.shape().head_dim, 8)),
      row_bytes_(padded_dim_ * bytes_of_number(cache)) {
    const Shape& s = model.shape();
    if (!model.sealed_) refuse("the model is not complete");
    if (capacity == 0 || capacity > s.context)
        refuse("a session of " + std::to_string(capacity) + " tokens; the model's context is " +
               std::to_string(s.context));
    memory_ = Buffer(bytes());
}

size_t Session::bytes() const {
    const Shape& s = model_.shape();
    return 2 * s.layers * s.kv_heads * capacity_ * (row_bytes_ + scale_bytes());
}

// The keys of a head and then its values, one stretch after another: rows, then their scales.
Kept Session::stretch(size_t number, size_t first) const {
    uint8_t* rows = memory_.data() + number * capacity_ * (row_bytes_ + scale_bytes());
    float* scales = reinterpret_cast<float*>(rows + capacity_ * row_bytes_);
    return {rows + first * row_bytes_, cache_ == Cache::int8 ? scales + first : nullptr};
}

Kept Session::keys(size_t layer, size_t head, size_t first) const {
    return stretch(2 * (layer * model_.shape().kv_heads + head), first);
}

Kept Session::values(size_t layer, size_t head, size_t first) const {
    return stretch(2 * (layer * model_.shape().kv_heads + head) + 1, first);
}

void Session::rewind(size_t length) {
    if (length > length_)
        refuse("the session holds " + std::to_string(length_) + " tokens, not " +
               std::to_string(length));
    length_ = length;
}

void Session::take_over(const Session& other, size_t length) {
    if (&other.model_ != &model_) refuse("a text of another model");
    if (other.cache_ != cache_) refuse("a text whose keys and values are kept otherwise");
    std::lock_guard<std::mutex> alone(model_.busy_);
    if (length > other.length_ || length > capacity_)
        refuse(std::to_string(length) + " tokens of a text that holds " +
               std::to_string(other.length_) + ", for one with room for " +
               std::to_string(capacity_));
    const size_t stretches = 2 * model_.shape().layers * model_.shape().kv_heads;
    for (size_t number = 0; &other != this && number < stretches; ++number) {
        const Kept to = stretch(number, 0), from = other.stretch(number, 0);
        std::memcpy(to.rows, from.rows, length * row_bytes_);
        if (cache_ == Cache::int8) std::memcpy(to.scales, from.scales, length * scale_bytes());
    }
    length_ = length;
}

}  // namespace hanlin
