// Precompiled headers of the `cairn` command.
#include <cairn/cairn.h>
#include <CLI/CLI.hpp>

#include "cairn/precompiled/standard.h"
