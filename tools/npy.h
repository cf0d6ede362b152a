// NumPy's array files (.npy): a magic number, a version, a text header that says dtype, order and
// shape, the elements.
//
//   write_npy(posix_file_system(), "images.npy", images);
//   Tensor images = read_npy(posix_file_system(), "images.npy");
//
// Versions 1 to 3, little-endian. Every numeric dtype and bool; NumPy has none for bfloat16
// (written as float) and no quantized ones (written as the integer of their width). Text:
// fixed-length byte strings ("|S5") are read and written; zero bytes at their ends are lost, as in
// NumPy. (numpy.lib.format)
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "persist/files/file.h"
#include "runtime/base/tensor.h"

namespace cairn {

// The array, row-major: one that was written column by column is put in order. Throws NotFound;
// DataLoss for a file that is no .npy or whose size is not what its header says; Unimplemented for
// another dtype or byte order.
Tensor read_npy(FileSystem& fs, const std::string& path);
// The same from bytes; `name` stands for them in messages.
Tensor parse_npy(std::string_view bytes, const std::string& name);

// Calls `sink` with the bytes of a version 1 file, piece by piece; beside the tensor it takes a
// buffer of fixed size. Throws Unimplemented for a dtype that has none.
using PieceSink = std::function<void(std::string_view piece)>;
void npy_pieces(const Tensor& tensor, const PieceSink& sink);
// All of them.
std::string npy_bytes(const Tensor& tensor);
// Whole or not at all.
void write_npy(FileSystem& fs, const std::string& path, const Tensor& tensor);

}  // namespace cairn
