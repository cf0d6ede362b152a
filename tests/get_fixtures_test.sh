#!/usr/bin/env bash
# tests/compat/get_fixtures.sh, on a mirror of files made here.
set -uo pipefail
script=$(cd "$(dirname "$0")" && pwd)/compat/get_fixtures.sh
work=$(mktemp -d)
passed=0 failed=0
trap 'rm -rf "$work"; echo "$passed passed, $failed failed, 0 skipped"; exit $((failed > 0))' EXIT
if ! command -v curl >/dev/null; then
  echo "skipped: get_fixtures.sh: curl is not installed"
  trap 'rm -rf "$work"; echo "0 passed, 0 failed, 1 skipped"' EXIT
  exit 0
fi
cd "$work" || exit 1
export CAIRN_FIXTURES_LIST=$work/list CAIRN_FIXTURES_URL=file://$work/mirror
commit=0123456789012345678901234567890123456789

# publish SET FILE TEXT [SHA256]: in the mirror and in the list.
publish() {
  local path="some model (copy)/$2"
  mkdir -p "mirror/me/models/$commit/$(dirname "$path")"
  printf '%s' "$3" >"mirror/me/models/$commit/$path"
  local sum=${4:-$(printf '%s' "$3" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d ' ' -f 1)}
  printf '%s\t%s\tme/models\t%s\t%s\t%d\t%s\n' "$1" "$2" "$commit" "$path" ${#3} "$sum" >>list
}
# check NAME CONDITION...
check() {
  local name=$1
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "failed: $name"; cat out; fi
}
run() { status=0; "$script" "$@" >out 2>&1 || status=$?; }
says() { grep -qF -- "$1" out; }
ends_with() { ((status == $1)); }
empty() { [[ ! -e $1 || -z $(ls -A "$1") ]]; }

publish one checkpoint "the newest"
publish one sub/model.index "an index"
publish two model "a model"
run got
check "all sets are fetched" ends_with 0
check "files are what was published" diff -r got/one "mirror/me/models/$commit/some model (copy)" --exclude=model
check "nothing else is left" test "$(ls -A got | tr '\n' ' ')" = "one two "
CAIRN_FIXTURES_URL=http://127.0.0.1:1 run got
check "what is there is not fetched again" ends_with 0
echo more >>got/two/model
run got
check "a set that was changed is reported" says "got/two is there and is not what the list says"
check "and left alone" grep -q more got/two/model

CAIRN_FIXTURES_URL=http://127.0.0.1:1 run alone
check "without a network it fails" ends_with 1
check "and says so" says "no network: http://127.0.0.1:1 cannot be reached"
check "and leaves nothing" test ! -e alone

publish three other-model "another" 0000000000000000000000000000000000000000000000000000000000000000
printf 'four\tm\tme/models\t%s\tgone\t1\t00\n' "$commit" >>list
printf 'five\tm\tme/models\t-\tm\t1\t00\n' >>list
run some
check "a wrong checksum or a missing file is an error" ends_with 1
check "a wrong checksum is shown" says "not 0000000000000000000000000000000000000000000000000000000000000000"
check "sets are whole or not there" test "$(ls -A some | tr '\n' ' ')" = "one two "
check "the missing sets are named" says "2 missing: four three"
check "a set of unknown commit is named" says "five: not fetched"
run one_of_them two
check "one set can be asked for" test "$status$(ls -A one_of_them)" = 0two
run other nosuch
check "a set that is not in the list is an error" ends_with 1
check "which leaves no folder" test ! -e other
