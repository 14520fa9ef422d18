#include "matrix.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "numbers.h"

namespace hanlin {
namespace {

constexpr size_t kHugePage = size_t(2) << 20;
constexpr size_t kSmallPage = 4096;
constexpr size_t kMapped = size_t(64) << 10;  // from here on memory comes as pages of its own
constexpr size_t kMostColumns = 1 << 20;  // what 32-bit sums of int8 are safe for

// Halves to even, for finite numbers; large ones may round to an infinity.
uint16_t to_bf16(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#if defined(__linux__)
// Return `size` zeroed bytes, a multiple of `unit`, at a multiple of it; in large pages if that is
// one.  Pages come zeroed when they are first touched; to zero them again would take as long as to
// fill them.
uint8_t* map_pages(size_t size, size_t unit) {
    const size_t room = size + unit;
    if (room < size) throw std::bad_alloc();
    void* memory = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    uint8_t* start = static_cast<uint8_t*>(memory);
    const size_t before =
        round_up(reinterpret_cast<uintptr_t>(start), unit) - reinterpret_cast<uintptr_t>(start);
    if (before > 0) munmap(start, before);
    munmap(start + before + size, unit - before);
    // Only advice: without large pages all is the same but slower.
    if (unit == kHugePage) madvise(start + before, size, MADV_HUGEPAGE);
    return start + before;
}
#endif

size_t panel_bytes(Format format, size_t columns, int group) {
    switch (format) {
        case Format::fp32: return columns * kLine;
        case Format::bf16: return columns / 2 * kLine;
        case Format::int8: return columns / 4 * kLine;
        case Format::int4: return columns / group * (kLine + size_t(group) / 8 * kLine);
    }
    throw std::invalid_argument("unknown format");
}

// Some rows of a source that lie in one panel.
struct Part {
    const Source& source;
    size_t first, count, lane;
    float factor;
};

template <Number kind>
float read_number(const uint8_t* data, ptrdiff_t index) {
    if (kind == Number::fp32) {
        float value;
        std::memcpy(&value, data + 4 * index, 4);
        return value;
    }
    uint16_t half;
    std::memcpy(&half, data + 2 * index, 2);
    return kind == Number::bf16 ? from_bf16(half) : from_fp16(half);
}

// Column by column, so that a panel is written in order.  False if a number is not finite.
template <Number kind>
bool fill_panel(const Part& part, bool wide, uint8_t* panel) {
    const Source& s = part.source;
    bool finite = true;
    for (size_t k = 0; k < s.columns; ++k) {
        const ptrdiff_t start =
            ptrdiff_t(part.first) * s.row_stride + ptrdiff_t(k) * s.column_stride;
        uint8_t* to = panel + (wide ? k * kLine : k / 2 * kLine + 2 * (k % 2)) + 4 * part.lane;
        for (size_t r = 0; r < part.count; ++r) {
            const float value =
                read_number<kind>(s.data, start + ptrdiff_t(r) * s.row_stride) * part.factor;
            uint16_t half = to_bf16(value);
            finite &= std::isfinite(value) && (wide || std::isfinite(from_bf16(half)));
            if (wide)
                std::memcpy(to + 4 * r, &value, 4);
            else
                std::memcpy(to + 4 * r, &half, 2);
        }
    }
    return finite;
}

}  // namespace

Buffer::Buffer(size_t bytes) {
    if (bytes == 0) return;
#if defined(__linux__)
    if (bytes >= kMapped) {
        const size_t unit = bytes >= kHugePage ? kHugePage : kSmallPage;
        const size_t whole = round_up(bytes, unit);
        if (whole < bytes) throw std::bad_alloc();
        data_ = {map_pages(whole, unit), Free{whole}};
        return;
    }
#endif
    const size_t size = round_up(bytes, kLine);
    if (size < bytes) throw std::bad_alloc();
    void* memory = std::aligned_alloc(kLine, size);
    if (memory == nullptr) throw std::bad_alloc();
    data_ = {static_cast<uint8_t*>(memory), Free{0}};
    std::memset(memory, 0, size);
}

void Buffer::Free::operator()(uint8_t* data) const {
#if defined(__linux__)
    if (mapped > 0) {
        munmap(data, mapped);
        return;
    }
#endif
    std::free(data);
}

Matrix::Matrix(size_t rows, size_t columns, Format format, int group)
    : rows_(rows), columns_(columns) {
    if (rows == 0 || columns == 0 || columns > kMostColumns || rows > size_t(1) << 31)
        throw std::invalid_argument("a matrix of " + std::to_string(rows) + " x " +
                                    std::to_string(columns) + " cannot be held");
    if (group != 32 && group != 64 && group != 128)
        throw std::invalid_argument("a group of " + std::to_string(group) + " columns");
    panels_.format = format;
    panels_.group = group;
    panels_.columns = int(round_up(columns, format == Format::int4 ? size_t(group) : 8));
    panels_.panel_bytes = panel_bytes(format, size_t(panels_.columns), group);
    memory_ = Buffer(num_panels() * panels_.panel_bytes);
    panels_.data = memory_.data();
    if (format == Format::int8) {
        scales_.resize(padded_rows());
        panels_.scales = scales_.data();
        if (padded_rows() > rows || size_t(panels_.columns) > columns)  // a code of nothing is 128
            std::memset(memory_.data(), 128, num_panels() * panels_.panel_bytes);
    }
}

uint8_t* Matrix::panel_of(size_t row) const {
    return memory_.data() + row / kPanelRows * panels_.panel_bytes;
}

void Matrix::check_rows(size_t first, size_t rows) const {
    if (first > rows_ || rows > rows_ - first)
        throw std::invalid_argument("rows " + std::to_string(first) + " to " +
                                    std::to_string(first + rows) + " of " + std::to_string(rows_));
}

bool Matrix::fill(size_t first, const Source& source, float factor) {
    check_rows(first, source.rows);
    if (source.columns != columns_) throw std::invalid_argument("another number of columns");
    if (panels_.format != Format::fp32 && panels_.format != Format::bf16)
        throw std::invalid_argument("numbers for a matrix of codes");
    const bool wide = panels_.format == Format::fp32;
    bool finite = true;
    for (size_t done = 0; done < source.rows;) {
        const size_t lane = (first + done) % kPanelRows;
        const Part part{source, done, std::min(source.rows - done, kPanelRows - lane), lane, factor};
        uint8_t* panel = panel_of(first + done);
        switch (source.kind) {
            case Number::fp32: finite &= fill_panel<Number::fp32>(part, wide, panel); break;
            case Number::fp16: finite &= fill_panel<Number::fp16>(part, wide, panel); break;
            case Number::bf16: finite &= fill_panel<Number::bf16>(part, wide, panel); break;
        }
        done += part.count;
    }
    return finite;
}

bool Matrix::fill_int8(size_t first, size_t rows, const int8_t* codes, const float* scales) {
    check_rows(first, rows);
    if (panels_.format != Format::int8) throw std::invalid_argument("8-bit codes for other weights");
    bool finite = true;
    for (size_t r = 0; r < rows; ++r) {
        const size_t row = first + r, lane = row % kPanelRows;
        uint8_t* panel = panel_of(row);
        const int8_t* from = codes + r * columns_;
        size_t k = 0;
        for (; k + 4 <= columns_; k += 4) {
            uint32_t four;
            std::memcpy(&four, from + k, 4);
            four ^= 0x80808080;  // adds 128 to each byte
            std::memcpy(panel + k / 4 * kLine + 4 * lane, &four, 4);
        }
        for (; k < columns_; ++k) panel[k / 4 * kLine + 4 * lane + k % 4] = uint8_t(from[k] + 128);
        scales_[row] = scales[r];
        finite = finite && std::isfinite(scales[r]);
    }
    return finite;
}

bool Matrix::fill_int4(size_t first, size_t rows, const uint8_t* codes, const uint16_t* scales,
                       const uint16_t* zeros) {
    check_rows(first, rows);
    if (panels_.format != Format::int4) throw std::invalid_argument("4-bit codes for other weights");
    const size_t half = (columns_ + 1) / 2, group = size_t(panels_.group);
    const size_t group_bytes = kLine + group / 8 * kLine;
    std::vector<uint8_t> plain(size_t(panels_.columns));  // a row's codes, a byte each
    bool finite = true;
    for (size_t r = 0; r < rows; ++r) {
        const size_t row = first + r, lane = row % kPanelRows;
        uint8_t* panel = panel_of(row);
        for (size_t k = 0; k < half; ++k) plain[k] = codes[r * half + k] & 15;
        for (size_t k = half; k < columns_; ++k) plain[k] = codes[r * half + k - half] >> 4;
        for (size_t g = 0; g < num_groups(); ++g) {
            const size_t at = r * num_groups() + g;
            uint8_t* head = panel + g * group_bytes;
            std::memcpy(head + 2 * lane, scales + at, 2);
            std::memcpy(head + 2 * (kPanelRows + lane), zeros + at, 2);
            finite = finite && (scales[at] & 0x7c00) != 0x7c00 && (zeros[at] & 0x7c00) != 0x7c00;
            for (size_t k = 0; k < group; k += 8) {
                uint32_t low, high;
                std::memcpy(&low, plain.data() + g * group + k, 4);
                std::memcpy(&high, plain.data() + g * group + k + 4, 4);
                low |= high << 4;  // codes are below 16, so that no byte flows into the next
                std::memcpy(head + (1 + k / 8) * kLine + 4 * lane, &low, 4);
            }
        }
    }
    return finite;
}

void Matrix::read_row(size_t row, float* out) const {
    const size_t lane = row % kPanelRows, group = size_t(panels_.group);
    const uint8_t* panel = panel_of(row);
    for (size_t k = 0; k < columns_; ++k) {
        switch (panels_.format) {
            case Format::fp32: std::memcpy(out + k, panel + k * kLine + 4 * lane, 4); break;
            case Format::bf16: {
                uint16_t bits;
                std::memcpy(&bits, panel + k / 2 * kLine + 4 * lane + 2 * (k % 2), 2);
                out[k] = from_bf16(bits);
                break;
            }
            case Format::int8:
                out[k] = scales_[row] * float(panel[k / 4 * kLine + 4 * lane + k % 4] - 128);
                break;
            case Format::int4: {
                const uint8_t* head = panel + k / group * (kLine + group / 8 * kLine);
                const size_t inside = k % group;
                const uint8_t byte = head[(1 + inside / 8) * kLine + 4 * lane + k % 4];
                uint16_t scale, zero;
                std::memcpy(&scale, head + 2 * lane, 2);
                std::memcpy(&zero, head + 2 * (kPanelRows + lane), 2);
                const int code = inside % 8 < 4 ? byte & 15 : byte >> 4;
                out[k] = from_fp16(scale) * (float(code) - from_fp16(zero));
            }
        }
    }
}

}  // namespace hanlin
