// How `cairn --help` and `cairn COMMAND --help` look.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

namespace cairn {

// Two columns, lines of up to 80 characters that are broken between words. Examples, which are
// indented, stay as they are.
std::shared_ptr<CLI::Formatter> help_formatter();

}  // namespace cairn
