// Identifies files that are not of the expected kind.
#pragma once

#include <string>
#include <string_view>

#include "persist/files/file.h"

namespace cairn {

// The kind of a file, from its first few hundred bytes: "a zip archive, as torch.save and
// numpy.savez write", a Git LFS pointer, a web page, HDF5, a pickle and more. "" if it cannot be
// identified; plain text cannot.
std::string file_kind(std::string_view begin);
// The first bytes of a file, as many as file_kind() needs.
std::string beginning_of(const RandomAccessFile& file);
// The message about a file that should be part of a checkpoint and is not: "this is no checkpoint
// but a zip archive, ...; give ...". "" if `begin` does not identify it. `part` is the role that
// the file's name implies ("an index"); such a file was not given by mistake, so a kind without
// specific advice is called damaged.
std::string no_checkpoint_but(std::string_view begin, std::string_view part = "");
// True if `bytes` contains only characters of a text.
bool is_plain_text(std::string_view bytes);

}  // namespace cairn
