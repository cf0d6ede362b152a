// The parts of Catch2 (version 2 or 3) that tests use: TEST_CASE, SECTION, REQUIRE, CHECK, Approx.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
