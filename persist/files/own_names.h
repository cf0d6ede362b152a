// The names that Cairn makes for itself in a checkpoint directory. Only what has such a name is
// ever swept; docs/formats.md lists them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "persist/files/file.h"  // is_temporary_name()

namespace cairn {

// Where the journal of an overwriting of `prefix` is: ".r-" and 16 hex digits of its name, in the
// same directory.
std::string journal_path(const std::string& prefix);
bool is_journal_name(std::string_view base_name);
bool is_recovery_name(std::string_view base_name);
// A directory in which a sharded save has its parts: "model_temp_" and 32 hex digits.
bool is_parts_directory_name(std::string_view base_name);
// A file that a sharded save makes in it: "part-00000-of-00002.index" and its like, or a hidden
// name.
bool is_part_name(std::string_view base_name);
// A name of a file or directory that Cairn makes for itself: never followed where it is a link.
bool is_own_name(std::string_view base_name);

// True for one component of a path: not empty, not "." or "..", without '/' and NUL, and of at most
// 255 bytes.
bool is_plain_name(std::string_view name);

// `digits` hex digits that nobody can foretell.
std::string random_digits(size_t digits);
// The last `digits` hex digits of a number.
std::string hex_digits(uint64_t number, size_t digits);

}  // namespace cairn
