// Tables of aligned columns.
#pragma once

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "runtime/base/text.h"

namespace cairn {

//   Columns table({kLeft, kLeft, kRight});
//   table.add({"W", "float", "31360"});
//   table.print(std::cout, "  ");
//
// Cells are printed by printable(). A column is as wide as its widest cell, up to 60 characters; a
// wider cell shifts the rest of its line.
class Columns {
 public:
  enum Side { kLeft, kRight };
  explicit Columns(std::vector<Side> sides) : sides_(std::move(sides)), widths_(sides_.size()) {}

  void add(std::vector<std::string> cells) {
    for (size_t i = 0; i < cells.size(); ++i) {
      cells[i] = printable(cells[i]);
      widths_[i] = std::max(widths_[i], std::min<size_t>(length(cells[i]), 60));
    }
    rows_.push_back(std::move(cells));
  }
  size_t size() const { return rows_.size(); }

  // One row, without trailing blanks and without a line end.
  std::string line(size_t row, const std::string& indent = "") const {
    std::string text = indent;
    for (size_t i = 0; i < rows_[row].size(); ++i) {
      const std::string& cell = rows_[row][i];
      const std::string pad(widths_[i] - std::min(widths_[i], length(cell)), ' ');
      if (i > 0 && widths_[i] > 0) text += "  ";
      text += sides_[i] == kRight ? pad + cell : cell + pad;
    }
    text.resize(text.find_last_not_of(' ') + 1);
    return text;
  }
  void print(std::ostream& out, const std::string& indent = "") const {
    for (size_t i = 0; i < rows_.size(); ++i) out << line(i, indent) << "\n";
  }

 private:
  // In characters, not bytes.
  static size_t length(const std::string& text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
  }

  std::vector<Side> sides_;
  std::vector<size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cairn
