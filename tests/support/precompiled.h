// Precompiled headers of most tests.
#include <cairn/cairn.h>

#include "cairn/precompiled/standard.h"
#include "tests/support/catch.h"
