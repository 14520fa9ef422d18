// Matrices as they lie in memory: panels of interleaved rows in pages of 2 MiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels.h"

namespace hanlin {

inline size_t round_up(size_t number, size_t multiple) {
    return (number + multiple - 1) / multiple * multiple;
}

// Zeroed memory, aligned to a line, in large pages where it is large.
class Buffer {
public:
    explicit Buffer(size_t bytes = 0);
    uint8_t* data() const { return data_.get(); }
    template <class T>
    T* as() const {
        return reinterpret_cast<T*>(data_.get());
    }

private:
    struct Free {
        size_t mapped;  // bytes that the system gave as pages; 0 where the heap gave them
        void operator()(uint8_t* data) const;
    };
    std::unique_ptr<uint8_t, Free> data_{nullptr, Free{0}};
};

enum class Number { fp32, fp16, bf16 };

// A matrix of numbers somewhere else; strides count numbers, so that it may be transposed.
struct Source {
    const uint8_t* data;
    Number kind;
    size_t rows, columns;
    ptrdiff_t row_stride, column_stride;
};

class Matrix {
public:
    Matrix() = default;
    // Throws std::invalid_argument for sizes or groups that no kernel takes.
    Matrix(size_t rows, size_t columns, Format format, int group);

    // Write `source` times `factor` from row `first` on.  False if a number is not finite.
    bool fill(size_t first, const Source& source, float factor);
    // Write rows of 8-bit codes (rows, columns) with their scales (rows), from row `first` on.
    bool fill_int8(size_t first, size_t rows, const int8_t* codes, const float* scales);
    // Write rows of 4-bit codes (rows, ceil(columns / 2)), column k in the low half of byte k and
    // column k + ceil(columns / 2) in the high half, with float16 scales and zeros (rows, groups).
    bool fill_int4(size_t first, size_t rows, const uint8_t* codes, const uint16_t* scales,
                   const uint16_t* zeros);
    // Write row `row` as fp32 to `out`, `columns` numbers.
    void read_row(size_t row, float* out) const;

    bool empty() const { return rows_ == 0; }
    size_t rows() const { return rows_; }
    size_t columns() const { return columns_; }
    size_t padded_rows() const { return num_panels() * kPanelRows; }
    size_t num_panels() const { return round_up(rows_, kPanelRows) / kPanelRows; }
    size_t num_groups() const { return panels_.columns / panels_.group; }
    size_t bytes() const { return num_panels() * panels_.panel_bytes + 4 * scales_.size(); }
    const Panels& panels() const { return panels_; }

private:
    uint8_t* panel_of(size_t row) const;
    void check_rows(size_t first, size_t rows) const;

    size_t rows_ = 0, columns_ = 0;
    Panels panels_{};
    Buffer memory_;
    std::vector<float> scales_;
};

}  // namespace hanlin
