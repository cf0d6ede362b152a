// The layout of `cairn --help` and `cairn COMMAND --help`.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

namespace cairn {

// Two columns, with lines of up to 80 characters that are broken between words. Indented lines
// (examples) are not broken.
std::shared_ptr<CLI::Formatter> help_formatter();

}  // namespace cairn
