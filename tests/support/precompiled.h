// What most tests include, precompiled.
#pragma once

#include <cairn/cairn.h>

#include "cairn/precompiled/standard.h"
#include "tests/support/catch.h"
