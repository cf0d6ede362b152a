# A table of the medians of several programs on the same workloads: Cairn, the best library that a
# user could choose (a shelf peer) and the best code written by hand (a limit), with ratios. Input:
# one JSON object per line.
function better(a, b) { return up ? a > b : a < b }
function ratio(other) { return value["cairn"] / other }
BEGIN { shelf_pattern = "^(libtorch|torch|numpy|onnxruntime|tfjs|node|python3)" }
{
  metric = field("metric")
  if (field("workload") == "W8-core-to-core") core_to_core = field("value")
  if (metric == "loss_step10" || metric == "") next
  cell = field("workload") "|" field("batch") "|" field("threads") "|" metric "|" field("unit")
  if (!(cell in seen)) { seen[cell] = 1; cells[++count] = cell }
  peers[cell] = peers[cell] field("peer") "=" field("value") " "
}
END {
  print "# Measured"
  print ""
  printf "%s", machine
  if (core_to_core != "") printf "; %.0f ns to move a cache line between them", core_to_core
  printf ". Medians over %d interleaved round%s.\n", rounds, rounds == 1 ? "" : "s"
  print "Lower times and higher rates (GB/s) are better. \"of\" is Cairn's value divided by the other one. The"
  print "limit of checkpoints is the same bytes written (with checksums and fsync) or read (into allocated"
  print "memory) by hand, measured alternately with Cairn."
  print ""
  print "| workload | batch | threads | metric | Cairn | best limit | of | best shelf peer | of |"
  print "|---|---:|---:|---|---:|---|---:|---|---:|"
  for (i = 1; i <= count; ++i) {
    split(cells[i], part, "|")
    up = part[5] ~ /\/s$/
    n = split(peers[cells[i]], list, " ")
    delete value
    limit = shelf = hand = ""
    for (k = 1; k <= n; ++k) {
      at = index(list[k], "=")
      name = substr(list[k], 1, at - 1)
      value[name] = substr(list[k], at + 1) + 0
      if (name == "cairn") continue
      if (name ~ /^by-hand/) { if (hand == "" || name ~ /table$/) hand = name; continue }
      if (name ~ shelf_pattern) { if (shelf == "" || better(value[name], value[shelf])) shelf = name }
      else if (limit == "" || better(value[name], value[limit])) limit = name
    }
    if (!("cairn" in value)) continue
    if (hand != "") limit = hand
    printf "| %s | %s | %s | %s | %.4g %s | ", part[1], part[2], part[3], part[4], value["cairn"], part[5]
    printf limit == "" ? "| | " : sprintf("%.4g %s | %.2f | ", value[limit], limit, ratio(value[limit]))
    printf shelf == "" ? "| |\n" : sprintf("%.4g %s | %.3f |\n", value[shelf], shelf, ratio(value[shelf]))
  }
}
