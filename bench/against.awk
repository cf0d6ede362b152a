# A table of the ratios of two programs on the same workloads. Input: lines of `before` or `now` and a
# JSON object.
function median(values, n,   i, k, t) {
  for (i = 2; i <= n; ++i) {
    for (k = i; k > 1 && values[k] < values[k - 1]; --k) { t = values[k]; values[k] = values[k - 1]; values[k - 1] = t }
  }
  return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
}
$0 !~ /^(before|now) \{/ { next }
{
  metric = field("metric")
  if (metric == "loss_step10" || metric == "" || field("peer") != "cairn") next
  cell = field("workload") "|" field("batch") "|" field("threads") "|" metric "|" field("unit")
  if (!(cell in seen)) { seen[cell] = 1; cells[++count] = cell }
  figures[cell, $1, ++times[cell, $1]] = field("value") + 0
}
END {
  print "| workload | batch | threads | metric | " commit " | now | now / " commit " | of the rounds |"
  print "|---|---:|---:|---|---:|---:|---:|---:|"
  for (i = 1; i <= count; ++i) {
    cell = cells[i]
    split(cell, part, "|")
    n = times[cell, "before"] < times[cell, "now"] ? times[cell, "before"] : times[cell, "now"]
    if (!n) continue
    least = most = 0
    for (k = 1; k <= n; ++k) {
      before[k] = figures[cell, "before", k]
      now[k] = figures[cell, "now", k]
      ratio = before[k] ? now[k] / before[k] : 0
      if (k == 1 || ratio < least) least = ratio
      if (k == 1 || ratio > most) most = ratio
    }
    a = median(before, n)
    b = median(now, n)
    printf "| %s | %s | %s | %s | %.4g %s | %.4g %s | %.3f | %.2f - %.2f |\n", part[1], part[2], part[3], part[4],
           a, part[5], b, part[5], a ? b / a : 0, least, most
  }
}
