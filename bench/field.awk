# The value of a field of a line of JSON, as the programs print them.
function field(name,   text) {
  if (!match($0, "\"" name "\": (\"[^\"]*\"|[-0-9.e+]+)")) return ""
  text = substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 4)
  gsub(/"/, "", text)
  return text
}
