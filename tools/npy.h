// Reads and writes NumPy's array files (.npy): a magic number, a version, a text header with dtype,
// order and shape, the elements.
//
//   write_npy(posix_file_system(), "images.npy", images);
//   Tensor images = read_npy(posix_file_system(), "images.npy");
//
// Versions 1 to 3, little-endian, all numeric dtypes and bool. NumPy has no bfloat16 (written as
// float) and no quantized dtypes (written as integers of the same width). Strings are fixed-length
// byte strings ("|S5"); zero bytes at their ends are lost, as in NumPy. (numpy.lib.format)
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "persist/files/file.h"
#include "runtime/base/tensor.h"

namespace cairn {

// Reads an array; one in column-major order is converted to row-major. Throws NotFound; DataLoss if
// the file is not an .npy file or its size does not fit its header; Unimplemented for another dtype
// or byte order.
Tensor read_npy(FileSystem& fs, const std::string& path);
// The same from bytes, which messages call `name`.
Tensor parse_npy(std::string_view bytes, const std::string& name);

// Calls `sink` with the bytes of a version 1 file, piece by piece, through a buffer of fixed size.
// Throws Unimplemented for a dtype that NumPy does not have.
using PieceSink = std::function<void(std::string_view piece)>;
void npy_pieces(const Tensor& tensor, const PieceSink& sink);
// All bytes at once.
std::string npy_bytes(const Tensor& tensor);
// Writes the file atomically: complete, or not at all.
void write_npy(FileSystem& fs, const std::string& path, const Tensor& tensor);

}  // namespace cairn
