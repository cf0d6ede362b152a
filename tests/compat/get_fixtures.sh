#!/usr/bin/env bash
# get_fixtures.sh DIR [SET ...]: fetches the public files that the compatibility tests read (fixtures.tsv beside this
# script) into DIR, for `./dev test --fixtures DIR`: 33 MB, from GitHub. Each file is checked against its sha256. A set
# comes whole or not at all; sets that are there already are not fetched again. Ends with 1 where something is missing.
#
# CAIRN_FIXTURES_URL: a mirror in place of https://raw.githubusercontent.com, with URL/REPOSITORY/COMMIT/PATH.
# CAIRN_FIXTURES_LIST: another list.
set -uo pipefail
base=${CAIRN_FIXTURES_URL:-https://raw.githubusercontent.com}
list=${CAIRN_FIXTURES_LIST:-$(dirname "$0")/fixtures.tsv}

say() { printf '%s\n' "$*" >&2; }

(($#)) && [[ $1 != -* ]] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
command -v curl >/dev/null || { say "get_fixtures.sh needs curl"; exit 1; }
dir=$1
shift
wanted=("$@")
made=""
[[ -d $dir ]] || made=1
mkdir -p "$dir" || exit 1
work=$(mktemp -d "$dir/.fetching-XXXXXX") || exit 1
trap 'rm -rf "$work"; [[ $made ]] && rmdir "$dir" 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

sha256() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1; }

# url_path PATH: with %20 for a space and the like.
url_path() {
  local LC_ALL=C text=$1 i c
  for ((i = 0; i < ${#text}; ++i)); do
    c=${text:i:1}
    if [[ $c == [A-Za-z0-9./_~-] ]]; then printf '%s' "$c"; else printf '%%%02X' "'$c"; fi
  done
}

# fetch REPOSITORY COMMIT PATH SHA256 FILE
fetch() {
  local url found status=0
  url=$base/$1/$2/$(url_path "$3")
  mkdir -p "$(dirname "$5")"
  curl --fail --silent --show-error --location --connect-timeout 20 --retry 2 -o "$5" "$url" 2>"$work/why" || status=$?
  case $status in
    0) ;;
    5 | 6 | 7 | 28 | 35)
      say "no network: $base cannot be reached ($(head -n 1 "$work/why")); nothing half is left in $dir"
      exit 1 ;;
    *) say "$url: $(head -n 1 "$work/why")"; return 1 ;;
  esac
  found=$(sha256 "$5")
  [[ $found == "$4" ]] || { say "$url: its sha256 is $found, not $4"; return 1; }
}

# rows SET: its lines of the list.
rows() { awk -F '\t' -v set="$1" '!/^#/ && $1 == set' "$list"; }

# is_whole SET: every file of it is in DIR as it should be.
is_whole() {
  local file sum rest
  while IFS=$'\t' read -r _ file _ _ _ _ sum rest; do
    [[ -f $dir/$1/$file && $(sha256 "$dir/$1/$file") == "$sum" ]] || return 1
  done < <(rows "$1")
}

get_set() {
  local set=$1 file repository commit path sum rest
  while IFS=$'\t' read -r _ file repository commit path _ sum rest; do
    if [[ $commit == - ]]; then
      say "$set: not fetched, for the commit of $repository that it is from is not known"
      return 0
    fi
    fetch "$repository" "$commit" "$path" "$sum" "$work/$set/$file" || return 1
  done < <(rows "$set")
  mv "$work/$set" "$dir/$set"
}

mapfile -t sets < <(awk -F '\t' '!/^#/ && NF { print $1 }' "$list" | sort -u)
fetched=0 there=0 failed=()
for set in "${wanted[@]:-${sets[@]}}"; do
  if [[ ! $(rows "$set") ]]; then
    say "there is no set $set in $list"
    failed+=("$set")
  elif [[ ! -e $dir/$set ]]; then
    if get_set "$set"; then [[ -e $dir/$set ]] && fetched=$((fetched + 1)); else failed+=("$set"); fi
  elif is_whole "$set"; then
    there=$((there + 1))
  else
    say "$dir/$set is there and is not what the list says; remove it to fetch it again"
    failed+=("$set")
  fi
done
((fetched)) && made=""
echo "$dir: $fetched sets fetched, $there there already, ${#failed[@]} missing${failed[*]:+: ${failed[*]}}"
((${#failed[@]} == 0))
