// The names that Cairn makes for its own files in a checkpoint directory; docs/formats.md lists
// them. Sweeps remove only files with such names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "persist/files/file.h"  // is_temporary_name()

namespace cairn {

// The path of the journal for overwriting `prefix`: ".r-" and 16 hex digits of a hash of the
// prefix's name, in the same directory.
std::string journal_path(const std::string& prefix);
bool is_journal_name(std::string_view base_name);
bool is_recovery_name(std::string_view base_name);
// A directory for the parts of a sharded save: "model_temp_" and 32 hex digits.
bool is_parts_directory_name(std::string_view base_name);
// A file in such a directory: "part-00000-of-00002.index" and the like, or a hidden name.
bool is_part_name(std::string_view base_name);
// True for any of these names and temporary ones. Links with such names are never followed.
bool is_own_name(std::string_view base_name);

// True for a valid single component of a path: not empty, not "." or "..", without '/' and NUL, at
// most 255 bytes.
bool is_plain_name(std::string_view name);

// `digits` unpredictable hex digits.
std::string random_digits(size_t digits);
// The last `digits` hex digits of a number.
std::string hex_digits(uint64_t number, size_t digits);

}  // namespace cairn
