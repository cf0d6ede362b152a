// What the `cairn` command's files include, precompiled.
#include <cairn/cairn.h>
#include <CLI/CLI.hpp>

#include "cairn/precompiled/standard.h"
