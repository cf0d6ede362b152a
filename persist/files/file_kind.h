// What a file is that turns out not to be what was asked for.
#pragma once

#include <string>
#include <string_view>

#include "persist/files/file.h"

namespace cairn {

// "a zip archive, as torch.save and numpy.savez write", told by how the file begins: a Git LFS
// pointer, a web page, HDF5, a pickle and more. "" where the bytes do not tell, as plain text does
// not. A few hundred bytes are enough.
std::string file_kind(std::string_view begin);
// So many bytes of a file.
std::string beginning_of(const RandomAccessFile& file);
// What a file that should be part of a checkpoint is instead, and what to do: "this is no
// checkpoint but a zip archive,
// ...; give ...". "" where `begin` does not tell. `part` is what the file's name says it is ("an
// index"): then nobody gave it in the place of another file, and what has no advice of its own is
// called damaged.
std::string no_checkpoint_but(std::string_view begin, std::string_view part = "");
// Nothing in `bytes` that a text would not have.
bool is_plain_text(std::string_view bytes);

}  // namespace cairn
