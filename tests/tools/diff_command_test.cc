// cairn diff.
#include <cairn/cairn.h>

#include <limits>

#include "tests/support/catch.h"
#include "tests/tools/commands.h"

using namespace cairn;

namespace {

// y = x W + b; `rate` is an attribute's value, `scope` puts a node more.
std::string write_graph(const std::filesystem::path& file, float rate, bool one_more) {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 2}, {.name = "x"});
  const Variable w = variable(zeros(graph, {2, 1}), {.name = "w"});
  const Output loss = reduce_mean(square(matmul(x, w)), {}, {.name = "loss"});
  GradientDescentOptimizer(rate).minimize(loss);
  if (one_more) identity(loss, {.name = "more"});
  export_meta_graph(graph, {.filename = file.string()});
  return file.string();
}

}  // namespace

TEST_CASE(
    "The command cairn diff finds no difference between a checkpoint and its copy, however they "
    "are named",
    "[tools][diff]") {
  const TempDir dir;
  const std::string a = write_tensors(dir / "a", {{"W", Tensor::vector<float>({1, 2})}}),
                    b = (dir / "b").string();
  REQUIRE(cairn_run({"convert", a, b, "--format", "v1"}).status == 0);
  const Finished run = cairn_run({"diff", a + ".index", b});
  CHECK(run.status == 0);
  CHECK(run.out == str_cat("A ", a, "\nB ", b, "\nno difference, 1 tensor is alike\n"));
  CHECK(run.err.empty());
}

TEST_CASE("The command cairn diff says how tensors differ, and ends with status 1",
          "[tools][diff]") {
  const TempDir dir;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::string a =
      write_tensors(dir / "a", {{"gone", Tensor(1.0f)},
                                {"kind", Tensor(int32_t{1})},
                                {"same", Tensor(2.0)},
                                {"shape", Tensor::vector<float>({1, 2})},
                                {"text", Tensor::vector<std::string>({"a", "b"})},
                                {"values", Tensor::vector<float>({1, 2, nan, 4})}});
  const std::string b =
      write_tensors(dir / "b", {{"kind", Tensor(int64_t{1})},
                                {"new", Tensor(true)},
                                {"same", Tensor(2.0)},
                                {"shape", Tensor::matrix<float>({{1, 2}})},
                                {"text", Tensor::vector<std::string>({"a", "c"})},
                                {"values", Tensor::vector<float>({1, 2.5, nan, 3})}});
  const Finished text = cairn_run({"diff", a, b});
  CHECK(text.status == 1);
  CHECK(
      text.out ==
      str_cat("gone: only in A: float []\n"
              "kind: int32 [] -> int64 []\n"
              "new: only in B: bool []\n"
              "shape: float [2] -> float [1,2]\n"
              "text: string [2]: 1 of 2 elements differ\n"
              "values: float [4]: 2 of 4 elements differ, at most by 1, relative 0.25, NaN 1 -> 1\n"
              "A ",
              a, "\nB ", b, "\n6 differences, 1 tensor is alike\n"));
  const Finished json = cairn_run({"diff", a, b, "--json"});
  CHECK(json.status == 1);
  CHECK(contains(json.out, R"("same": false)"));
  CHECK(contains(json.out, R"({"name": "gone", "a": {"dtype": "float", "shape": []}})"));
  CHECK(contains(json.out,
                 R"({"name": "values", "a": {"dtype": "float", "shape": [4], "nan": 1}, )"
                 R"("b": {"dtype": "float", "shape": [4], "nan": 1}, )"
                 R"("elements": 4, "differing": 2, "max_absolute": 1, "max_relative": 0.25})"));
}

TEST_CASE(
    "The command cairn diff --tolerance takes near numbers for alike, relative to those above one",
    "[tools][diff]") {
  const TempDir dir;
  const std::string a = write_tensors(dir / "a", {{"v", Tensor::vector<double>({0.5, 1000})}});
  const std::string b = write_tensors(dir / "b", {{"v", Tensor::vector<double>({0.501, 1000.9})}});
  CHECK(cairn_run({"diff", a, b}).status == 1);
  CHECK(cairn_run({"diff", a, b, "--tolerance", "1e-4"}).status == 1);
  CHECK(cairn_run({"diff", a, b, "--tolerance", "0.0011"}).status == 0);
  CHECK(is_wrong_usage(cairn_run({"diff", a, b, "--tolerance", "-1"})));
  CHECK(is_wrong_usage(cairn_run({"diff", a, b, "--tolerance", "nan"})));
  CHECK(is_wrong_usage(cairn_run({"diff", a, b, "--tolerance", "little"})));
}

TEST_CASE("The command cairn diff compares two graphs by node, input, attribute and collection",
          "[tools][diff]") {
  const TempDir dir;
  const std::string a = write_graph(dir / "a.meta", 0.5f, false),
                    b = write_graph(dir / "b.meta", 0.25f, true);
  const Finished same = cairn_run({"diff", a, a});
  CHECK(same.status == 0);
  CHECK(contains(same.out, "no difference\n"));
  const Finished text = cairn_run({"diff", a, b});
  CHECK(text.status == 1);
  CHECK(contains(
      text.out, "node GradientDescent/learning_rate: attr value: float [] 0.5 -> float [] 0.25\n"));
  CHECK(contains(text.out, "node more: only in B: Identity\n"));
  CHECK(contains(text.out, "\n2 differences\n"));
  CHECK(contains(cairn_run({"diff", a, b, "--json"}).out,
                 R"({"part": "node", "name": "more", "what": "", "b": "Identity"})"));
}

TEST_CASE("The command cairn diff tells wrong usage and problems apart", "[tools][diff]") {
  const TempDir dir;
  const std::string graph = write_graph(dir / "a.meta", 0.5f, false);
  const std::string values = write_tensors(dir / "v", {{"w", Tensor(1.0f)}});
  CHECK(is_wrong_usage(cairn_run({"diff", graph})));
  const Finished mixed = cairn_run({"diff", graph, values});
  CHECK(is_wrong_usage(mixed));
  CHECK(contains(mixed.err, "holds a graph and"));
  const Finished missing = cairn_run({"diff", values, (dir / "none").string()});
  CHECK(missing.status == 1);
  CHECK(missing.out.empty());
  CHECK(contains(missing.err, "none"));
  write_bytes(dir / "bad.meta", "\x0a\x05oops");
  const Finished damaged = cairn_run({"diff", graph, (dir / "bad.meta").string()});
  CHECK(damaged.status == 1);
  CHECK(contains(damaged.err, "bad.meta"));
}

TEST_CASE("The command cairn diff sees what training changed in files that TensorFlow wrote",
          "[tools][compat]") {
  const auto folder = fixture("linreg-tf14");
  if (!folder) return;
  const std::string a = (*folder / "my-model-0").string(), b = (*folder / "my-model-1000").string();
  const Finished values = cairn_run({"diff", a, b});
  CHECK(values.status == 1);
  CHECK(contains(values.out, "2 differences, 0 tensors are alike"));
  // The program printed predictions between its two saves, which added these nodes.
  const Finished graphs = cairn_run({"diff", a + ".meta", b + ".meta"});
  CHECK(contains(graphs.out, "node MatMul_1: only in B: MatMul\n"));
  CHECK(contains(graphs.out, "\n6 differences\n"));
}
