// What most tests include, precompiled.
#include <cairn/cairn.h>

#include "cairn/precompiled/standard.h"
#include "tests/support/catch.h"
