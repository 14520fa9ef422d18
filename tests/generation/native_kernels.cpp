// Compares the kernels of every instruction set that this build and this machine have with the
// portable ones, without Python: on a bare machine, or as the only process of an emulated one
// (`tests/support/native_emulated.py`).  One line a check, PASS or FAIL; what cannot run is named;
// `DONE` is last.
//
// A setting EXPECT=NAME in the environment says which set must be the fastest here.
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/choosing.h"
#include "core/matrix.h"
#include "core/numbers.h"
#include "core/processor.h"

using namespace hanlin;

namespace {

constexpr int kMostTokens = 17;
constexpr float kUntouched = -12345.0f;
int failures = 0;
std::mt19937 chance(1);

float number() { return std::uniform_real_distribution<float>(-1.0f, 1.0f)(chance); }

std::vector<float> numbers(size_t count, float factor = 1.0f) {
    std::vector<float> values(count);
    for (float& value : values) value = factor * number();
    return values;
}

void tell(const char* set, const std::string& what, double gap, double limit) {
    const bool good = gap <= limit;  // false for what is not a number
    failures += !good;
    std::printf("%s %s %s: gap %.3g, limit %.3g\n", good ? "PASS" : "FAIL", set, what.c_str(), gap,
                limit);
    std::fflush(stdout);
}

// A matrix of random weights; `extreme`: only the codes at the ends, where sums are largest.
Matrix make(size_t rows, size_t columns, Format format, int group, bool extreme) {
    Matrix matrix(rows, columns, format, group);
    if (format == Format::fp32 || format == Format::bf16) {
        const std::vector<float> values = numbers(rows * columns);
        const Source source{reinterpret_cast<const uint8_t*>(values.data()), Number::fp32,
                            rows, columns, ptrdiff_t(columns), 1};
        matrix.fill(0, source, 1.0f);
    } else if (format == Format::int8) {
        std::vector<int8_t> codes(rows * columns);
        for (int8_t& code : codes) code = int8_t(extreme ? 127 : int(chance() % 256) - 128);
        matrix.fill_int8(0, rows, codes.data(), numbers(rows).data());
    } else {
        std::vector<uint8_t> codes(rows * ((columns + 1) / 2));
        for (uint8_t& code : codes) code = uint8_t(extreme ? 255 : chance() % 256);
        std::vector<uint16_t> scales(rows * matrix.num_groups()), zeros(scales.size());
        for (uint16_t& scale : scales) scale = uint16_t(0x2000 + chance() % 0x1800);  // 2^-7 to 1/2
        for (uint16_t& zero : zeros) zero = uint16_t(0x4000 + chance() % 0x0c00);     // 2 to 16
        matrix.fill_int4(0, rows, codes.data(), scales.data(), zeros.data());
    }
    return matrix;
}

// Rows of activations with room for their whole numbers, as a session has it.
struct Rows {
    Rows(const Matrix& matrix, bool extreme) {
        const size_t stride = round_up(matrix.columns(), kStrideMultiple), groups = stride / 32;
        plain = Buffer(4 * kMostTokens * stride);
        wide = Buffer(2 * kMostTokens * stride);
        narrow = Buffer(kMostTokens * stride);
        scales = Buffer(4 * kMostTokens), sums = Buffer(4 * kMostTokens);
        group_scales = Buffer(4 * kMostTokens * groups);
        group_sums = Buffer(4 * kMostTokens * groups);
        for (size_t t = 0; t < kMostTokens; ++t)
            for (size_t k = 0; k < matrix.columns(); ++k) {
                float& value = plain.as<float>()[t * stride + k];
                value = number() * (t == 3 ? 1000.0f : 1.0f);
                if (extreme) value = t % 2 == 0 ? 3.0f : -3.0f;
                if (t == 5) value = 0.0f;
            }
        view = {plain.as<float>(),        wide.as<int16_t>(),        scales.as<float>(),
                sums.as<int32_t>(),       narrow.as<int8_t>(),       group_scales.as<float>(),
                group_sums.as<float>(),   int(stride),               int(groups)};
    }
    // The same rows from row t on.
    Activations from(size_t t) const {
        Activations x = view;
        x.plain += t * view.stride, x.wide += t * view.stride, x.narrow += t * view.stride;
        x.wide_scales += t, x.wide_sums += t;
        x.narrow_scales += t * view.groups, x.narrow_sums += t * view.groups;
        return x;
    }
    Buffer plain, wide, narrow, scales, sums, group_scales, group_sums;
    Activations view{};
};

using Product = std::vector<float>;

Product multiply(const Kernels& kernels, const Matrix& matrix, const Activations& x, int tokens,
                 size_t first) {
    Product y(size_t(tokens) * matrix.padded_rows(), kUntouched);
    kernels.multiply(matrix.panels(), x, tokens, first, matrix.num_panels(), y.data(),
                     matrix.padded_rows());
    return y;
}

// The largest sum of |w x| of a row, which rounding is measured by.
double size_of(const Matrix& matrix, const Rows& rows, int token) {
    std::vector<float> w(matrix.columns());
    double most = 0;
    for (size_t r = 0; r < matrix.rows(); ++r) {
        matrix.read_row(r, w.data());
        double total = 0;
        const float* x = rows.view.plain + size_t(token) * rows.view.stride;
        for (size_t k = 0; k < w.size(); ++k) total += std::fabs(double(w[k]) * x[k]);
        most = total > most ? total : most;
    }
    return most;
}

// The gap to the portable products in parts of `size_of`, and whether a row is the one that it is
// alone (else infinite), for 1 to 17 rows of activations.
double product_gap(const Kernels& kernels, const Matrix& matrix, bool extreme) {
    Rows rows(matrix, extreme);
    portable_kernels->quantise(matrix.panels(), rows.view, kMostTokens);
    const size_t stride = matrix.padded_rows();
    std::vector<double> sizes;
    std::vector<Product> alone;
    for (int t = 0; t < kMostTokens; ++t) {
        sizes.push_back(size_of(matrix, rows, t));
        alone.push_back(multiply(kernels, matrix, rows.from(size_t(t)), 1, 0));
    }
    double gap = 0;
    for (int tokens = 1; tokens <= kMostTokens; ++tokens) {
        const size_t first = tokens == 7 && matrix.num_panels() > 1 ? 1 : 0;
        const Product mine = multiply(kernels, matrix, rows.view, tokens, first);
        const Product wanted = multiply(*portable_kernels, matrix, rows.view, tokens, first);
        for (int t = 0; t < tokens; ++t)
            for (size_t r = 0; r < stride; ++r) {
                const size_t at = size_t(t) * stride + r;
                const float single = r < first * kPanelRows ? kUntouched : alone[size_t(t)][r];
                if (std::memcmp(&mine[at], &single, 4) != 0) return INFINITY;
                const double off = std::fabs(double(mine[at]) - wanted[at]);
                if (off > 0 || std::isnan(off)) gap = std::fmax(gap, off / sizes[size_t(t)]);
                if (std::isnan(off)) return off;
            }
    }
    return gap;
}

void check_products(const Kernels& kernels) {
    struct Kind {
        const char* name;
        Format format;
        int group;
        double limit;
    };
    // Products of codes are sums of whole numbers, and are scaled in one order: they are equal,
    // except where the last steps of int4 are fused, which those for AVX-512 are kept from.
    const double last_bits = 1e-6;
    const bool wide = std::strncmp(kernels.name, "avx512", 6) == 0;
    const double fused = wide ? 0.0 : last_bits;
    const Kind kinds[] = {
        {"fp32", Format::fp32, 64, last_bits}, {"bf16", Format::bf16, 64, last_bits},
        {"int8", Format::int8, 64, 0.0},       {"int4/32", Format::int4, 32, fused},
        {"int4/64", Format::int4, 64, fused},  {"int4/128", Format::int4, 128, fused},
    };
    const size_t shapes[][2] = {{1, 1}, {15, 7}, {16, 8}, {17, 33}, {33, 100}, {5, 257}, {40, 530}};
    for (const Kind& kind : kinds)
        for (const bool extreme : {false, true}) {
            double gap = 0;
            for (const auto& shape : shapes) {
                const Matrix matrix = make(shape[0], shape[1], kind.format, kind.group, extreme);
                const double found = product_gap(kernels, matrix, extreme);
                if (!(found <= gap)) gap = found;  // what is not a number stays
            }
            const std::string name = std::string(kind.name) + (extreme ? " extreme" : "");
            tell(kernels.name, name, gap, kind.limit);
        }
}

// Codes may be one apart where a number lies between two.
void check_quantise(const Kernels& kernels) {
    double codes = 0, scales = 0, sums = 0;
    for (const Format format : {Format::int8, Format::int4}) {
        const Matrix matrix = make(16, 300, format, 32, false);
        chance.seed(7);
        Rows mine(matrix, false);
        chance.seed(7);
        Rows wanted(matrix, false);
        kernels.quantise(matrix.panels(), mine.view, kMostTokens);
        portable_kernels->quantise(matrix.panels(), wanted.view, kMostTokens);
        for (size_t i = 0; i < size_t(kMostTokens) * size_t(mine.view.stride); ++i) {
            codes = std::fmax(codes, std::abs(mine.view.wide[i] - wanted.view.wide[i]));
            codes = std::fmax(codes, std::abs(mine.view.narrow[i] - wanted.view.narrow[i]));
        }
        const Activations &a = mine.view, &b = wanted.view;
        for (size_t t = 0; t < kMostTokens; ++t) {
            int total = 0;
            for (int k = 0; k < a.stride; ++k) total += a.wide[t * size_t(a.stride) + size_t(k)];
            sums = std::fmax(sums, std::abs(total - a.wide_sums[t]));
            scales = std::fmax(scales, std::fabs(a.wide_scales[t] - b.wide_scales[t]));
        }
        for (size_t i = 0; i < size_t(kMostTokens) * size_t(a.groups); ++i)
            scales = std::fmax(scales, std::fabs(a.narrow_scales[i] - b.narrow_scales[i]));
    }
    tell(kernels.name, "codes of activations", codes, 1);
    tell(kernels.name, "scales of activations", scales, 0);
    tell(kernels.name, "sums of activations", sums, 0);
}

double largest_gap(const std::vector<float>& mine, const std::vector<float>& wanted) {
    double gap = 0, most = 1e-30;
    for (size_t i = 0; i < mine.size(); ++i) {
        if (std::isnan(mine[i])) return NAN;
        gap = std::fmax(gap, std::fabs(double(mine[i]) - wanted[i]));
        most = std::fmax(most, std::fabs(double(wanted[i])));
    }
    return gap / most;
}

// Rows of the cache as one set writes them; `differing` counts those that the portable one writes
// otherwise.  Among the numbers are zeros, ones that no half holds, and the smallest halves.
struct CacheRows {
    CacheRows(const Kernels& kernels, Cache how, size_t count, int width)
        : how(how), row_bytes(size_t(width) * bytes_of_number(how)), rows(count * row_bytes),
          scales(count) {
        for (size_t row = 0; row < count; ++row) {
            const float size = row % 5 == 1 ? 0.0f : row % 5 == 2 ? 1e5f : row % 5 == 3 ? 1e-6f : 2.0f;
            const std::vector<float> x = numbers(size_t(width), size);
            std::vector<uint8_t> bytes(row_bytes);
            float scale = 0;
            kernels.keep(x.data(), how, width, kept(row));
            portable_kernels->keep(x.data(), how, width, {bytes.data(), &scale});
            const bool same = std::memcmp(bytes.data(), kept(row).rows, row_bytes) == 0;
            const bool tied = how == Cache::half && are_as_near(kept(row).rows, bytes.data(), x);
            differing += !(same || tied) || (how == Cache::int8 && scale != scales[row]);
        }
    }
    // Whether halves are equal, or as near to x as the others: Bochs, unlike processors, rounds up
    // what lies in the middle of two.
    static bool are_as_near(const uint8_t* mine, const uint8_t* wanted,
                            const std::vector<float>& x) {
        for (size_t d = 0; d < x.size(); ++d) {
            uint16_t one, other;
            std::memcpy(&one, mine + 2 * d, 2), std::memcpy(&other, wanted + 2 * d, 2);
            if (one == other) continue;
            const double off = std::fabs(double(from_fp16(one)) - x[d]);
            if (!(off == std::fabs(double(from_fp16(other)) - x[d]))) return false;
        }
        return true;
    }
    Kept kept(size_t row) const {
        return {const_cast<uint8_t*>(rows.data()) + row * row_bytes,
                const_cast<float*>(scales.data()) + row};
    }
    const Cache how;
    const size_t row_bytes;
    std::vector<uint8_t> rows;
    std::vector<float> scales;
    int differing = 0;
};

void check_between(const Kernels& kernels) {
    const Kernels& plain = *portable_kernels;
    double norms = 0, activations = 0, attention = 0, differing = 0;
    for (const int width : {8, 24, 40, 128, 200}) {
        const size_t size = size_t(width), count = 3 * size + 1;
        const std::vector<float> x = numbers(size, 4.0f);
        const std::vector<float> gain = numbers(size), bias = numbers(size);
        std::vector<float> mine(size), wanted(size);
        kernels.rms_norm(x.data(), gain.data(), 1e-5f, width, mine.data());
        plain.rms_norm(x.data(), gain.data(), 1e-5f, width, wanted.data());
        norms = std::fmax(norms, largest_gap(mine, wanted));
        kernels.layer_norm(x.data(), gain.data(), bias.data(), 1e-5f, width, mine.data());
        plain.layer_norm(x.data(), gain.data(), bias.data(), 1e-5f, width, wanted.data());
        norms = std::fmax(norms, largest_gap(mine, wanted));

        const std::vector<float> gate = numbers(count, 9.0f);
        std::vector<float> up = numbers(count, 9.0f), other = up;
        kernels.gelu(up.data(), count), plain.gelu(other.data(), count);
        activations = std::fmax(activations, largest_gap(up, other));
        kernels.swiglu(gate.data(), up.data(), count);
        plain.swiglu(gate.data(), other.data(), count);
        activations = std::fmax(activations, largest_gap(up, other));

        for (const Cache how : {Cache::fp32, Cache::half, Cache::int8})
            for (const size_t keys : {1, 5, 16, 37}) {
                const CacheRows k(kernels, how, keys, width), v(kernels, how, keys, width);
                differing += k.differing + v.differing;
                std::vector<float> scores(keys);
                for (const Kernels* one : {&kernels, &plain})
                    one->attend(x.data(), how, k.kept(0), v.kept(0), int(keys), width, 0.3f,
                                scores.data(), one == &kernels ? mine.data() : wanted.data());
                attention = std::fmax(attention, largest_gap(mine, wanted));
            }
    }
    tell(kernels.name, "norms", norms, 2e-6);
    tell(kernels.name, "activation functions", activations, 2e-6);
    tell(kernels.name, "rows of the cache", differing, 0);
    tell(kernels.name, "attention", attention, 1e-5);
}

}  // namespace

int main() {
    const Processor machine = this_processor();
    std::printf("machine: avx2 %d, avx512 %d, vnni %d, dotprod %d\n", machine.avx2, machine.avx512,
                machine.vnni, machine.dotprod);
    for (const InstructionSet& set : instruction_sets()) {
        if (set.kernels == portable_kernels) continue;
        if (set.kernels == nullptr) {
            std::printf("NOT BUILT %s\n", set.name);
        } else if (!set.on_machine) {
            std::printf("NOT ON THIS MACHINE %s\n", set.name);
        } else {
            check_products(*set.kernels);
            check_quantise(*set.kernels);
            check_between(*set.kernels);
        }
    }
    const char* wanted = std::getenv("EXPECT");
    const char* chosen = choose_kernels("auto").name;
    const bool expected = wanted == nullptr || std::strcmp(wanted, chosen) == 0;
    failures += !expected;
    std::printf("%s auto takes %s\n", expected ? "PASS" : "FAIL", chosen);
    std::printf("DONE %d failures\n", failures);
    std::fflush(stdout);
    if (getpid() == 1)
        while (true) pause();  // the first process of a system must not end
    return failures == 0 ? 0 : 1;
}
