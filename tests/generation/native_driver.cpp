// Drives the native core without Python, for sanitizers: every family, format and instruction set,
// several threads, sessions side by side, and calls that must be refused.
#include <cstdio>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

#include "core/bandwidth.h"
#include "core/model.h"

using namespace hanlin;
using Wanted = Stretch::Logits;

namespace {

std::mt19937 chance(1);

float number() { return std::uniform_real_distribution<float>(-1.0f, 1.0f)(chance); }

Vector numbers(size_t count) {
    Vector values(count);
    for (float& value : values) value = number();
    return values;
}

void fill(Matrix& matrix, size_t rows, size_t columns, Format format, int group) {
    matrix = Matrix(rows, columns, format, group);
    if (format == Format::fp32 || format == Format::bf16) {
        const Vector values = numbers(rows * columns);
        const Source source{reinterpret_cast<const uint8_t*>(values.data()), Number::fp32,
                            rows, columns, ptrdiff_t(columns), 1};
        if (!matrix.fill(0, source, 1.0f)) throw std::runtime_error("finite numbers");
    } else if (format == Format::int8) {
        std::vector<int8_t> codes(rows * columns);
        for (int8_t& code : codes) code = int8_t(chance() % 256);
        matrix.fill_int8(0, rows, codes.data(), numbers(rows).data());
    } else {
        std::vector<uint8_t> codes(rows * ((columns + 1) / 2));
        for (uint8_t& code : codes) code = uint8_t(chance() % 256);
        const std::vector<uint16_t> halves(rows * matrix.num_groups(), 0x3800);  // 0.5
        matrix.fill_int4(0, rows, codes.data(), halves.data(), halves.data());
    }
}

void expect_refusal(const std::function<void()>& call) {
    try {
        call();
    } catch (const std::invalid_argument&) {
        return;
    }
    throw std::runtime_error("something was not refused");
}

void complete(Model& model, Format format, int group) {
    const Shape& s = model.shape();
    const size_t rows = (s.heads + 2 * s.kv_heads) * s.head_dim;
    fill(model.matrix("embedding"), s.vocab, s.width, format, group);
    model.vector("norm.weight") = numbers(s.width);
    if (s.gpt2) {
        fill(model.matrix("positions"), s.context, s.width, format, group);
        model.vector("norm.bias") = numbers(s.width);
    } else {
        model.set_rotary(numbers(s.head_dim / 2));
    }
    if (!s.tied) fill(model.matrix("unembedding"), s.vocab, s.width, format, group);
    for (size_t layer = 0; layer < s.layers; ++layer) {
        const std::string root = "blocks." + std::to_string(layer) + ".";
        fill(model.matrix(root + "attention.qkv"), rows, s.width, format, group);
        fill(model.matrix(root + "attention.output"), s.width, s.heads * s.head_dim, format, group);
        fill(model.matrix(root + "mlp.up"), s.inner, s.width, format, group);
        fill(model.matrix(root + "mlp.down"), s.width, s.inner, format, group);
        model.vector(root + "attention_norm.weight") = numbers(s.width);
        model.vector(root + "mlp_norm.weight") = numbers(s.width);
        if (s.gpt2) {
            for (const char* name : {"attention_norm", "mlp_norm", "attention.output", "mlp.down"})
                model.vector(root + name + ".bias") = numbers(s.width);
            model.vector(root + "mlp.up.bias") = numbers(s.inner);
            model.vector(root + "attention.qkv.bias") = numbers(rows);
        } else {
            fill(model.matrix(root + "mlp.gate"), s.inner, s.width, format, group);
            model.vector(root + "attention.query_norm.weight") = numbers(s.head_dim);
            model.vector(root + "attention.key_norm.weight") = numbers(s.head_dim);
        }
    }
}

void drive(const Shape& shape, Format format, int group, int threads, const std::string& isa) {
    Model model(shape, threads, isa);
    expect_refusal([&] { Session(model, 8, Cache::fp32); });
    expect_refusal([&] { model.matrix("abacus"); });
    expect_refusal([&] { model.seal(); });
    complete(model, format, group);
    model.seal();
    expect_refusal([&] { Session(model, shape.context + 1, Cache::half); });
    const auto write = [&](Cache cache, Cache another) {
        Session session(model, shape.context, cache);
        const std::vector<int64_t> prompt(37, 3);
        std::vector<float> logits(prompt.size() * shape.vocab);
        const auto together = [&](const std::vector<Stretch>& stretches) {
            model.read(stretches, logits.data());
        };
        const auto read = [&](Session& one, const int64_t* tokens, size_t count, Wanted wanted) {
            together({{&one, tokens, count, wanted}});
        };
        read(session, prompt.data(), prompt.size(), Wanted::all);
        session.rewind(20);
        for (int64_t token = 0; token < 8; ++token) read(session, &token, 1, Wanted::last);
        const int64_t wrong[] = {-1, int64_t(shape.vocab)};
        for (const int64_t& token : wrong)
            expect_refusal([&] { read(session, &token, 1, Wanted::last); });
        expect_refusal([&] { read(session, prompt.data(), 0, Wanted::last); });
        expect_refusal([&] { read(session, prompt.data(), prompt.size(), Wanted::last); });
        expect_refusal([&] { session.rewind(29); });
        Session one(model, 4, another), two(model, 5, cache), full(model, 1, cache);
        read(full, prompt.data(), 1, Wanted::last);
        for (int step = 0; step < 4; ++step)
            together({{&session, prompt.data(), 1, Wanted::last},
                      {&one, prompt.data(), 1, Wanted::none},
                      {&two, prompt.data(), 1, Wanted::all}});
        const Stretch again{&two, prompt.data(), 1, Wanted::last};
        expect_refusal([&] { together({again, again}); });
        expect_refusal([&] { together({again, {&full, prompt.data(), 1, Wanted::last}}); });
        expect_refusal([&] { together({{&two, wrong, 1, Wanted::last}}); });
        expect_refusal([&] { together({}); });
        Session long_one(model, shape.context, cache), long_two(model, shape.context, another);
        together({{&long_one, prompt.data(), prompt.size(), Wanted::last},
                  {&two, prompt.data(), 1, Wanted::last},
                  {&long_two, prompt.data(), prompt.size(), Wanted::none}});
        Session copied(model, 6, cache), unlike(model, 6, another);
        expect_refusal([&] { unlike.take_over(session, 2); });
        copied.take_over(session, 5);
        copied.take_over(copied, 2);
        expect_refusal([&] { copied.take_over(session, 7); });
        expect_refusal([&] { copied.take_over(full, 2); });
        read(copied, prompt.data(), 4, Wanted::last);
    };
    std::thread other(write, Cache::half, Cache::int8);
    write(Cache::int8, Cache::fp32);
    write(Cache::fp32, Cache::half);
    other.join();
}

}  // namespace

int main() {
    const Shape gpt2{67, 48, 40, 2, 4, 4, 10, 90, true, false, 5, 1e-5f};
    const Shape qwen3{67, 48, 40, 3, 4, 2, 12, 72, false, true, 0, 1e-6f};
    for (const Shape& shape : {gpt2, qwen3})
        for (Format format : {Format::fp32, Format::bf16, Format::int8, Format::int4})
            for (int threads : {1, 3})
                for (const char* isa : {"auto", "portable"})
                    drive(shape, format, threads == 1 ? 32 : 128, threads, isa);
    expect_refusal([] { Matrix(0, 8, Format::fp32, 64); });
    expect_refusal([] { Matrix(8, 8, Format::int4, 48); });
    expect_refusal([&] { Model(Shape{}, 1, "auto"); });
    expect_refusal([&] { Model(gpt2, 0, "auto"); });
    expect_refusal([&] { Model(gpt2, 1, "abacus"); });
    std::printf("%s\n", read_bandwidth(20, 2, 2) > 0 ? "done" : "no bandwidth");
}
