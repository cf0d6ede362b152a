# The value of a field in a line of JSON that a benchmark printed.
function field(name,   text) {
  if (!match($0, "\"" name "\": (\"[^\"]*\"|[-0-9.e+]+)")) return ""
  text = substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 4)
  gsub(/"/, "", text)
  return text
}
