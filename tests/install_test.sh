#!/usr/bin/env bash
# install_test.sh SOURCE BUILD SANITIZE COMPILER...: installs a copy of BUILD into an empty folder, stage and all, and
# uses it as programs outside the tree do: through pkg-config, through CMake, and with SOURCE as a Meson subproject. Each
# program is compiled against the copy alone. SANITIZE: what the library was built with, or "none".
#
# The subproject is configured and its schemas are generated, no more: compiling the library again would take as long as
# compiling it once. `./dev test --subproject` does that.
set -uo pipefail
source=$1 build=$2 sanitize=$3
shift 3
cxx=${!#}  # without a ccache before it
compiler=("$@" -std=c++20 -Wall -Wextra -Werror)
[[ $sanitize == none ]] || compiler+=("-fsanitize=$sanitize")
programs=$source/tests/install
copy=$(mktemp -d)
passed=0 failed=0 skipped=0
trap 'rm -rf "$copy"; echo "$passed passed, $failed failed, $skipped skipped"; exit $((failed > 0))' EXIT

# check NAME FUNCTION: each runs in a folder of its own.
check() {
  mkdir "$copy/$2" && cd "$copy/$2" || exit 1
  (set -e; $2) >"$copy/log" 2>&1  # not within a condition, where -e counts for nothing
  local status=$?
  if ((status == 0)); then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    cat "$copy/log"
    echo "failed: $1"
  fi
}
skip() { skipped=$((skipped + 1)); echo "skipped: $1: $2"; }

# expect TEXT COMMAND...: it prints that.
expect() {
  local expected=$1 found
  shift
  found=$("$@") || return 1
  [[ $found == "$expected" ]] || { printf '%s: expected\n%s\nfound\n%s\n' "$*" "$expected" "$found"; return 1; }
}

# code FILE FIRST [LAST]: what is in the C++ blocks of these numbers; "-1" is the last block.
code() {
  awk -v first="$2" -v last="${3:-$2}" '
    /^ *```/ { if (/```cpp/) { on = 1; ++n } else on = 0; next }
    on { block[n] = block[n] $0 "\n" }
    END {
      if (first < 0) { first += n + 1; last = first }
      if (last < 0) last += n + 1
      for (i = first; i <= last; ++i) printf "%s", block[i]
    }' "$1"
}

DESTDIR=$copy/stage meson install -C "$build" --no-rebuild --quiet || { failed=1; exit; }
pc=$(find "$copy/stage" -name cairn.pc)
prefix=$(find "$copy/stage" -path '*/include/cairn/cairn.h')
prefix=${prefix%/include/*}
export PKG_CONFIG_PATH=${pc%/*}
read -ra flags <<<"$(pkg-config --cflags --libs cairn)"
shared=$(find "$copy/stage" -name 'libcairn.so')
[[ $shared ]] && export LD_LIBRARY_PATH=${shared%/*}

pkg_config_program() {
  mkdir proto && cp "$programs/graph.proto" proto/
  protoc --cpp_out=. proto/graph.proto
  # The warnings are about our headers; protobuf's have some of their own.
  "${compiler[@]}" -c "$programs/program.cc" $(pkg-config --cflags cairn)
  "${compiler[@]}" -w -I. program.o proto/graph.pb.cc -o program "${flags[@]}" -lprotobuf
  expect 'w: [3. 2.]' ./program
  test -f model-10.meta
}
check "a program with a proto/graph.proto of its own is built with what pkg-config says" pkg_config_program

private_requirements() {
  expect "" pkg-config --print-requires cairn
  expect "" pkg-config --print-requires-private cairn
  "${compiler[@]}" ../pkg_config_program/program.o -o program $(pkg-config --static --libs cairn)
  expect 'w: [3. 2.]' ./program
}
check "cairn.pc requires no other package, and links with --static too" private_requirements

own_op() {
  code "$source/docs/add_an_op.md" 1 -2 >add_an_op.h
  code "$source/docs/add_an_op.md" -1 >import.h
  "${compiler[@]}" -I. "$programs/own_op.cc" -o own_op "${flags[@]}"
  expect $'-8 12\n27' ./own_op
}
check "the op of docs/add_an_op.md is compiled against the installed headers and runs" own_op

readme() {
  code "$source/README.md" 1 >line.cc
  code "$source/README.md" 2 >go_on.h
  "${compiler[@]}" line.cc -o line "${flags[@]}"
  [[ $(./line) == "y = 3"* || $(./line) == "y = 2.9"* ]]
  "${compiler[@]}" -I. "$programs/readme.cc" -o readme "${flags[@]}"
  expect '1 0 1 2 20' ./readme
}
check "README's programs are compiled and run, also where a file uses namespace std" readme

plugins() {
  "${compiler[@]}" -fPIC -c "$programs/plugin.cc" $(pkg-config --cflags cairn)
  for name in a b; do "${compiler[@]}" -shared plugin.o -o $name.so "${flags[@]}"; done
  "${compiler[@]}" "$programs/host.cc" -o host -ldl
  expect $'[1. 2.]\n[1. 2.]' ./host local ./a.so ./b.so
  expect $'[1. 2.]\n[1. 2.]' ./host global ./a.so ./b.so
}
if [[ $sanitize == none ]]; then
  check "two plugins of one process, each with a copy of the library, work" plugins
else
  skip "two plugins" "the address checker takes two copies of a global for an error"
fi

hidden() {
  nm -DC --defined-only "$shared" >symbols
  grep -q ' T cairn::Session::' symbols
  # What the standard library makes of types (` W std::`) is weak in every program that uses the same.
  ! grep -v ' W std::' symbols | grep -E ' (cairn::pb::|google::protobuf::|leveldb::|Eigen|cairn::(Pattern|TableReader|NameHints)\b)' symbols
}
if [[ $shared ]]; then
  check "the shared library shows none of its internals" hidden
fi

cmake_program() {
  cp "$programs"/{CMakeLists.txt,program.cc} .
  cmake -B out -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_CXX_FLAGS="$([[ $sanitize == none ]] || echo "-fsanitize=$sanitize")" .
  cmake --build out
  expect 'w: [3. 2.]' out/by_package
  expect 'w: [3. 2.]' out/by_pkg_config
}
if command -v cmake >/dev/null; then
  check "a CMake project finds cairn::cairn, and pkg-config's IMPORTED_TARGET, in a staged installation" cmake_program
else
  skip "a CMake project" "cmake is not installed"
fi

subproject() {
  cp "$programs"/{subproject/meson.build,program.cc} .
  mkdir subprojects && ln -s "$source" subprojects/cairn
  meson setup out -Dcairn:cpu=baseline
  ninja -C out subprojects/cairn/proto/cairn/graph.pb.h
  # A debug build of the parent's, since nothing else was said; the library is optimized all the same.
  grep '"command".*runtime_graph_0.cc.o -c' out/compile_commands.json | grep -q -e '-O3 -g'
  grep '"command".*program.cc.o -c' out/compile_commands.json | grep -q -e '-O0'
}
check "Cairn is a Meson subproject of a project in any place" subproject
