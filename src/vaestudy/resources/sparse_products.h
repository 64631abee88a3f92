// Products of a sparse matrix and a dense one, for vaestudy/sparse_products.py: each line of the
// result is the sum of those of the dense matrix's rows that a line's nonzeros pick.

#pragma once

#include <ATen/cpu/vec/vec.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace vaestudy {

using Vector = at::vec::Vectorized<float>;
constexpr int64_t LANES = Vector::size();
// Columns of a result whose sums stay in registers.
constexpr int64_t AT_ONCE = 64 / LANES;

// Which row of the dense matrix, times what. As long as a number of the tensor that holds them.
struct Nonzero {
  int32_t row;
  float value;
};
static_assert(sizeof(Nonzero) == sizeof(int64_t));

// Line i has those from begins[i] to begins[i + 1].
struct Lines {
  int64_t count;
  int64_t* begins;
  Nonzero* nonzeros;
};

// A tensor of count + 1 begins and all nonzeros.
inline Lines lines_in(int64_t* tensor, int64_t count) {
  return {count, tensor, reinterpret_cast<Nonzero*>(tensor + count + 1)};
}

// A line for each row of a sparse matrix.
inline void list_rows(const float* sparse, int64_t columns, Lines lines) {
  Nonzero* next = lines.nonzeros;
  for (int64_t row = 0; row < lines.count; row++, sparse += columns) {
    lines.begins[row] = next - lines.nonzeros;
    int64_t column = 0;
    for (; column + LANES <= columns; column += LANES) {
      const uint32_t zeros = Vector::loadu(sparse + column).zero_mask();
      for (uint32_t lit = ~zeros & ((1u << LANES) - 1); lit != 0; lit &= lit - 1) {
        const int32_t at = column + __builtin_ctz(lit);
        *next++ = {at, sparse[at]};
      }
    }
    for (; column < columns; column++)
      if (sparse[column] != 0) *next++ = {int32_t(column), sparse[column]};
  }
  lines.begins[lines.count] = next - lines.nonzeros;
}

// A line for each column, from those of the rows: a counting sort.
inline void list_columns(Lines rows, Lines lines) {
  // While it counts and sorts, begins[i + 1] is where line i's next nonzero goes.
  int64_t* next = lines.begins + 1;
  std::fill(lines.begins, next + lines.count, 0);
  const int64_t n = rows.begins[rows.count];
  int64_t before = 0;
  for (int64_t i = 0; i < n; i++) next[rows.nonzeros[i].row]++;
  for (int64_t column = 0; column < lines.count; column++) {
    const int64_t counted = next[column];
    next[column] = before;
    before += counted;
  }
  for (int64_t row = 0; row < rows.count; row++)
    for (int64_t i = rows.begins[row]; i < rows.begins[row + 1]; i++) {
      const Nonzero& nonzero = rows.nonzeros[i];
      lines.nonzeros[next[nonzero.row]++] = {int32_t(row), nonzero.value};
    }
}

// Some columns of a result: VECTORS vectors, of `few` numbers each, all LANES if there are several.
template <int64_t VECTORS>
inline void add_rows(Lines lines, const float* dense, float* result, int64_t width, int64_t few) {
  for (int64_t line = 0; line < lines.count; line++, result += width) {
    Vector sums[VECTORS];
    for (Vector& sum : sums) sum = Vector(0);
    const int64_t end = lines.begins[line + 1];
    for (int64_t i = lines.begins[line]; i < end; i++) {
      const float* row = dense + lines.nonzeros[i].row * width;
      const Vector value(lines.nonzeros[i].value);
#pragma GCC unroll 8
      for (int64_t v = 0; v < VECTORS; v++) {
        const float* at = row + v * LANES;
        const Vector of_row = VECTORS > 1 ? Vector::loadu(at) : Vector::loadu(at, few);
        sums[v] = at::vec::fmadd(value, of_row, sums[v]);
      }
    }
    for (int64_t v = 0; v < VECTORS; v++) sums[v].store(result + v * LANES, few);
  }
}

inline void multiply(Lines lines, const float* dense, float* result, int64_t width) {
  int64_t column = 0;
  for (; column + AT_ONCE * LANES <= width; column += AT_ONCE * LANES)
    add_rows<AT_ONCE>(lines, dense + column, result + column, width, LANES);
  for (; column < width; column += LANES)
    add_rows<1>(lines, dense + column, result + column, width, std::min(LANES, width - column));
}

// What compiled steps call; matrices are contiguous.

inline void find_nonzeros(const float* sparse, int64_t* nonzeros, int64_t rows, int64_t columns) {
  list_rows(sparse, columns, lines_in(nonzeros, rows));
}

inline void sparse_mm(const int64_t* nonzeros, const float* dense, float* result, int64_t rows,
                      int64_t width) {
  multiply(lines_in(const_cast<int64_t*>(nonzeros), rows), dense, result, width);
}

inline void sparse_t_mm(const int64_t* nonzeros, const float* dense, float* result, int64_t rows,
                        int64_t columns, int64_t width) {
  const Lines of_rows = lines_in(const_cast<int64_t*>(nonzeros), rows);
  std::vector<int64_t> memory(columns + 1 + of_rows.begins[rows]);
  const Lines of_columns = lines_in(memory.data(), columns);
  list_columns(of_rows, of_columns);
  multiply(of_columns, dense, result, width);
}

}  // namespace vaestudy
