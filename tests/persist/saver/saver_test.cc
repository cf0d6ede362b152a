#include "persist/saver/saver.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "ops/array/array.h"
#include "ops/math/math.h"
#include "ops/state/variables.h"
#include "persist/checkpoint/bundle.h"
#include "persist/extras/checkpoint_doctor.h"
#include "tests/support/catch.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/memory_fs.h"
#include "tests/support/recording_fs.h"

using namespace cairn;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;

namespace {

std::vector<std::string> input_names(const Operation& op) {
  std::vector<std::string> names;
  for (const Output& input : op.inputs())
    names.push_back(endpoint_name(input.node(), input.index(), false));
  for (const Operation& control : op.control_inputs()) names.push_back("^" + control.name());
  return names;
}

std::vector<std::string> nodes_of(const Graph& graph, const std::string& scope) {
  std::vector<std::string> names;
  for (const Operation& op : graph.operations()) {
    if (op.name().starts_with(scope)) names.push_back(op.type() + " " + op.name());
  }
  return names;
}

using Strings = std::vector<std::string>;

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// Two variables, a [3] of ones and b [2,2] of twos, and a session whose files are in memory.
struct Model {
  explicit Model(FileSystem& files, const SaverOptions& options = {})
      : session(graph, {.file_system = &files}) {
    a = variable(ones(graph, {3}), {.name = "a"});
    b = variable(ones(graph, {2, 2}) * 2.0f, {.name = "b"});
    saver = Saver(graph, options);
    session.run(global_variables_initializer(graph));
  }
  Graph graph;
  Variable a, b;
  Saver saver;
  Session session;
};

struct Disk : MemoryFileSystem {
  Disk() { create_dirs("/run"); }
  Strings names() {
    Strings all = list_dir("/run");
    return all;
  }
};

SaverOptions at_time(double& now, SaverOptions options) {
  options.clock = [&now] { return now; };
  return options;
}

}  // namespace

// ---- graphs that are gone -----------------------------------------------------------------------

TEST_CASE("Every use of a saver whose graph was destroyed is refused, and it goes in any order",
          "[saver][gone]") {
  Disk disk;
  Saver saver;
  std::optional<Session> session;
  Variable a;
  {
    Graph graph;
    a = variable(graph, 1.0f, {.name = "a"});
    saver = Saver(graph);
    session.emplace(graph, SessionOptions{.file_system = &disk});
    session->run(a.initializer());
    saver.save(*session, "/run/m");
    saver.restore(*session, "/run/m");
  }
  const auto before = disk.contents();
  const auto all_refused = [&](Session& other) {
    for (const std::function<void()>& use : std::vector<std::function<void()>>{
             [&] { saver.save(other, "/run/m"); },
             [&] { saver.save_async(other, "/run/m"); },
             [&] { saver.restore(other, "/run/m"); },
             [&] { saver.preflight(other, "/run/m"); },
         }) {
      CHECK_THAT(message_of(use),
                 Contains("the graph of a S") && Contains(" is gone: the Graph was"));
    }
    CHECK_THAT(message_of([&] { saver.export_meta_graph("/run/m.meta"); }),
               Contains("the graph of a Saver is gone"));
  };
  all_refused(*session);
  Graph next;  // what was the first one's may be used again for this
  variable(next, 1.0f, {.name = "a"});
  Session next_session(next, {.file_system = &disk});
  all_refused(next_session);
  CHECK_THAT(message_of([&] { Saver(next, {.var_list = {a}}); }), Contains("is gone"));
  CHECK(disk.contents() == before);
  CHECK(saver.last_checkpoints() == Strings{"/run/m"});
  CHECK(bool(saver));  // and what takes no graph works
  saver.keep_best("loss", 1);
  CHECK(saver.as_saver_def().restore_op_name == "save/restore_all");
}

TEST_CASE("A saver follows a graph that is moved", "[saver][gone]") {
  Disk disk;
  std::optional<Graph> kept;
  Saver saver;
  {
    Graph graph;
    variable(graph, 1.0f, {.name = "a"});
    saver = Saver(graph);
    kept.emplace(std::move(graph));
  }
  Session session(*kept, {.file_system = &disk});
  session.run(global_variables_initializer(*kept));
  CHECK(saver.save(session, "/run/m") == "/run/m");
}

// ---- the nodes ----------------------------------------------------------------------------------

TEST_CASE("A Saver inserts TensorFlow's nodes under TensorFlow's names, in its order", "[saver]") {
  Disk disk;
  Model m(disk);
  CHECK(nodes_of(m.graph, "save/") ==
        Strings{"Const save/Const", "Const save/SaveV2/tensor_names",
                "Const save/SaveV2/shape_and_slices", "SaveV2 save/SaveV2",
                "Identity save/control_dependency", "Const save/RestoreV2/tensor_names",
                "Const save/RestoreV2/shape_and_slices", "RestoreV2 save/RestoreV2",
                "Assign save/Assign", "Assign save/Assign_1", "NoOp save/restore_all"});
  CHECK(
      input_names(m.graph.find_op("save/SaveV2")) ==
      Strings{"save/Const", "save/SaveV2/tensor_names", "save/SaveV2/shape_and_slices", "a", "b"});
  CHECK(input_names(m.graph.find_op("save/control_dependency")) ==
        Strings{"save/Const", "^save/SaveV2"});
  CHECK(input_names(m.graph.find_op("save/Assign_1")) == Strings{"b", "save/RestoreV2:1"});
  CHECK(input_names(m.graph.find_op("save/restore_all")) ==
        Strings{"^save/Assign", "^save/Assign_1"});
  CHECK(m.graph.find_op("save/RestoreV2").node().device == "/device:CPU:0");
  CHECK(m.graph.find_op("save/Assign").attrs().strings("_class") == Strings{"loc:@a"});
  CHECK(m.graph.find_op("save/control_dependency").attrs().strings("_class") ==
        Strings{"loc:@save/Const"});
  CHECK(m.graph.find_op("save/Assign").flag("use_locking"));
  CHECK(m.graph.static_value(m.graph.find("save/Const:0")).scalar<std::string>() == "model");
}

TEST_CASE("A Saver's SaverDef names its nodes and what it keeps", "[saver]") {
  Disk disk;
  Model m(disk, {.max_to_keep = 7, .keep_checkpoint_every_n_hours = 0.5});
  const SaverDef& def = m.saver.as_saver_def();
  CHECK(def.filename_tensor_name == "save/Const:0");
  CHECK(def.save_tensor_name == "save/control_dependency:0");
  CHECK(def.restore_op_name == "save/restore_all");
  CHECK(def.max_to_keep == 7);
  CHECK(def.keep_checkpoint_every_n_hours == 0.5f);
  CHECK(def.version == CheckpointFormat::kV2);
}

TEST_CASE("A second Saver of a graph stands in a scope of its own", "[saver]") {
  Disk disk;
  Model m(disk);
  Saver second(m.graph);
  CHECK(second.as_saver_def().restore_op_name == "save_1/restore_all");
  CHECK(m.graph.contains("save_1/SaveV2/tensor_names"));
}

TEST_CASE("Variables on two devices are restored by a tree of one NoOp for each", "[saver]") {
  Graph graph;
  {
    auto on = graph.device("/job:ps/task:0");
    variable(graph, 1.0f, {.name = "a"});
  }
  {
    auto on = graph.device("/job:ps/task:1");
    variable(graph, 2.0f, {.name = "b"});
  }
  Saver saver(graph);
  CHECK(input_names(graph.find_op("save/restore_all")) ==
        Strings{"^save/restore_all/NoOp", "^save/restore_all/NoOp_1"});
  CHECK(graph.find_op("save/restore_all/NoOp").node().device == "/job:ps/task:0");
  CHECK(input_names(graph.find_op("save/restore_all/NoOp_1")) == Strings{"^save/Assign_1"});
}

TEST_CASE("A variable declared after the Saver is not saved by it", "[saver]") {
  Disk disk;
  Model m(disk);
  variable(m.graph, 3.0f, {.name = "late"});
  m.saver.save(m.session, "/run/m");
  CHECK(BundleReader(disk, "/run/m").names() == Strings{"a", "b"});
}

TEST_CASE("A Saver for a graph without variables is refused unless it may be empty", "[saver]") {
  Graph graph;
  constant(graph, 1.0f);
  CHECK_THROWS_WITH(Saver(graph), "No variables to save");
  CHECK_NOTHROW(Saver(graph, {.allow_empty = true}));
}

TEST_CASE("A Saver refuses one variable under two names", "[saver]") {
  Graph graph;
  const Variable v = variable(graph, 1.0f, {.name = "v"});
  CHECK_THROWS_WITH(Saver(graph, {.var_list = {{"x", v}, {"y", v}}}),
                    "The same saveable will be restored with two names: y");
}

TEST_CASE("A Saver refuses the same variable twice in a list", "[saver]") {
  Graph graph;
  const Variable v = variable(graph, 1.0f, {.name = "v"});
  CHECK_THROWS_WITH(Saver(graph, {.var_list = {v, v}}),
                    "At least two variables have the same name: v");
}

TEST_CASE("A Saver that stands for none says so when it is used", "[saver]") {
  Disk disk;
  Model m(disk);
  Saver none;
  CHECK_FALSE(none);
  CHECK_THROWS_WITH(none.save(m.session, "/run/m"), Contains("this Saver is empty"));
}

// ---- saving and restoring -----------------------------------------------------------------------

TEST_CASE("What was saved is restored bit for bit, into another session and another graph",
          "[saver]") {
  Disk disk;
  Model m(disk);
  CHECK(m.saver.save(m.session, "/run/m", {.global_step = 12}) == "/run/m-12");
  CHECK(disk.names() ==
        Strings{".cairn", "checkpoint", "m-12.data-00000-of-00001", "m-12.index", "m-12.meta"});
  Graph graph;
  Saver saver = import_meta_graph(graph, "/run/m-12.meta", {.file_system = &disk});
  Session session(graph, {.file_system = &disk});
  saver.restore(session, "/run/m-12");
  for (const Variable& v : m.graph.variables()) {
    CHECK(bit_equal(session.value(find_variable(graph, v.name())), m.session.value(v)));
  }
}

TEST_CASE(
    "The names by which a checkpoint may be restored are its prefix, its files and its directory",
    "[saver]") {
  Disk disk;
  Model m(disk);
  m.saver.save(m.session, "/run/m", {.global_step = 3});
  for (const char* name : {"/run/m-3", "/run/m-3.index", "/run/m-3.meta",
                           "/run/m-3.data-00000-of-00001", "/run", "/run/checkpoint"}) {
    CAPTURE(name);
    Session session(m.graph, {.file_system = &disk});
    CHECK_NOTHROW(m.saver.restore(session, name));
    CHECK(session.uninitialized_variables().empty());
  }
}

TEST_CASE("Variables saved under other names are found under them", "[saver]") {
  Disk disk;
  Graph graph;
  const Variable w = variable(graph, Tensor::vector<float>({1, 2}), {.name = "W"});
  Saver saver(graph, {.var_list = {{"weight", w}}});
  Session session(graph, {.file_system = &disk});
  session.run(global_variables_initializer(graph));
  saver.save(session, "/run/m");
  CHECK(BundleReader(disk, "/run/m").names() == Strings{"weight"});
  session.set_value(w, Tensor::vector<float>({9, 9}));
  saver.restore(session, "/run/m");
  CHECK(bit_equal(session.value(w), Tensor::vector<float>({1, 2})));
}

TEST_CASE(
    "Restoring some variables leaves the others uninitialised, and says which when they are needed",
    "[saver]") {
  Disk disk;
  Model m(disk);
  m.saver.save(m.session, "/run/m");
  Saver only_b(m.graph, {.var_list = {m.b}});
  Session session(m.graph, {.file_system = &disk});
  only_b.restore(session, "/run/m");
  CHECK(session.uninitialized_variables() == Strings{"a"});
  CHECK_THROWS_WITH(session.run(m.a), Contains("'a'"));
}

TEST_CASE("With reshape a tensor of another shape and as many elements is restored", "[saver]") {
  Disk disk;
  {
    Graph graph;
    variable(graph, Tensor::vector<float>({1, 2, 3, 4}), {.name = "v"});
    Saver saver(graph);
    Session session(graph, {.file_system = &disk});
    session.run(global_variables_initializer(graph));
    saver.save(session, "/run/m");
  }
  Graph graph;
  const Variable v = variable(zeros(graph, {2, 2}), {.name = "v"});
  Session session(graph, {.file_system = &disk});
  Saver(graph, {.reshape = true}).restore(session, "/run/m");
  CHECK(bit_equal(session.value(v), Tensor::matrix<float>({{1, 2}, {3, 4}})));
}

TEST_CASE("A sharded Saver writes a part for each device and merges them", "[saver]") {
  Disk disk;
  Graph graph;
  Variable a, b;
  {
    auto on = graph.device("/job:ps/task:0");
    a = variable(graph, 1.0f, {.name = "a"});
  }
  {
    auto on = graph.device("/job:ps/task:1");
    b = variable(graph, 2.0f, {.name = "b"});
  }
  Saver saver(graph, {.sharded = true});
  CHECK(saver.as_saver_def().save_tensor_name == "save/Identity:0");
  CHECK(graph.contains("save/MergeV2Checkpoints/checkpoint_prefixes"));
  CHECK(input_names(graph.find_op("save/ShardedFilename_1")) ==
        Strings{"save/StringJoin", "save/ShardedFilename_1/shard", "save/num_shards"});
  Session session(graph, {.file_system = &disk});
  session.run(global_variables_initializer(graph));
  saver.save(session, "/run/m");
  CHECK(disk.names() == Strings{".cairn", "checkpoint", "m.data-00000-of-00002",
                                "m.data-00001-of-00002", "m.index", "m.meta"});
  session.set_values({{a, 0.0f}, {b, 0.0f}});
  saver.restore(session, "/run/m");
  CHECK(session.value(b).scalar<float>() == 2.0f);
}

TEST_CASE("Resource variables are saved by their value and restored", "[saver]") {
  Disk disk;
  Graph graph;
  const Variable v =
      variable(graph, Tensor::vector<float>({1, 2}), {.name = "v", .use_resource = true});
  Saver saver(graph);
  Session session(graph, {.file_system = &disk});
  session.run(global_variables_initializer(graph));
  saver.save(session, "/run/m");
  session.set_value(v, Tensor::vector<float>({0, 0}));
  saver.restore(session, "/run/m");
  CHECK(bit_equal(session.value(v), Tensor::vector<float>({1, 2})));
}

TEST_CASE("The step may be a number, a variable or a tensor's name", "[saver]") {
  Disk disk;
  Model m(disk);
  const Variable step = variable(m.graph, int64_t{41}, {.name = "step"});
  m.session.run(step.initializer());
  CHECK(m.saver.save(m.session, "/run/m", {.global_step = step}) == "/run/m-41");
  CHECK(m.saver.save(m.session, "/run/m", {.global_step = "step/read:0"}) == "/run/m-41");
  CHECK(m.saver.save(m.session, "/run/m", {.global_step = 42}) == "/run/m-42");
}

TEST_CASE("A padded step has eight digits", "[saver]") {
  Disk disk;
  Model m(disk, {.pad_step_number = true});
  CHECK(m.saver.save(m.session, "/run/m", {.global_step = 7}) == "/run/m-00000007");
}

// ---- what save refuses --------------------------------------------------------------------------

TEST_CASE("Saving uninitialised variables names all of them", "[saver]") {
  Disk disk;
  Model m(disk);
  Session fresh(m.graph, {.file_system = &disk});
  const std::string message = message_of([&] { m.saver.save(fresh, "/run/m"); });
  CHECK_THAT(message, Contains("'a'") && Contains("'b'"));
  CHECK(disk.names().empty());
}

TEST_CASE("A save path in a directory two levels away from any is refused", "[saver]") {
  Disk disk;
  Model m(disk);
  CHECK_THROWS_WITH(m.saver.save(m.session, "/none/there/m"),
                    Contains("Parent directory of /none/there/m doesn't exist"));
}

TEST_CASE("A save that fails takes the directory away again that it made", "[saver]") {
  Disk disk;
  Model m(disk);
  Session fresh(m.graph, {.file_system = &disk});
  CHECK_THROWS(m.saver.save(fresh, "/run/new/m"));
  CHECK(disk.names().empty());
  CHECK_NOTHROW(m.saver.save(m.session, "/run/new/m"));
}

TEST_CASE("A file where a directory should be is said to be one", "[saver]") {
  Disk disk;
  Model m(disk);
  disk.set("/run/file", "a user's");
  const std::string preflight = message_of([&] { m.saver.preflight(m.session, "/run/file/m"); });
  CHECK_THAT(preflight, Contains("/run/file: it is a file, not a directory"));
  CHECK_THAT(message_of([&] { m.saver.save(m.session, "/run/file/m"); }), Contains("/run/file"));
  CHECK_THAT(message_of([&] { examine_directory("/run/file", &disk); }),
             Contains("/run/file: this is a file; give the directory it is in"));
  CHECK_THAT(message_of([&] { examine_directory("/run/none", &disk); }),
             Contains("/run/none: there is no such directory"));
  CHECK(read_file(disk, "/run/file") == "a user's");
}

TEST_CASE("A save path that is the checkpoint file is refused", "[saver]") {
  Disk disk;
  Model m(disk);
  CHECK_THROWS_WITH(m.saver.save(m.session, "/run/checkpoint"),
                    Contains("'latest_filename' collides with 'save_path'"));
}

TEST_CASE("A latest_filename must be a bare name", "[saver]") {
  Disk disk;
  Model m(disk);
  CHECK_THROWS_WITH(m.saver.save(m.session, "/run/m", {.latest_filename = "x/y"}),
                    Contains("must not contain path components"));
}

TEST_CASE("A session of another graph is refused", "[saver]") {
  Disk disk;
  Model m(disk), other(disk);
  CHECK_THROWS_WITH(m.saver.save(other.session, "/run/m"), Contains("another graph"));
}

// ---- what restore refuses -----------------------------------------------------------------------

TEST_CASE("Restoring reports everything that does not fit at once and changes nothing", "[saver]") {
  Disk disk;
  {
    Graph graph;
    variable(ones(graph, {4}), {.name = "kernel"});
    variable(ones(graph, {2}), {.name = "bias"});
    variable(graph, int32_t{1}, {.name = "count"});
    variable(graph, 5.0f, {.name = "fine"});
    Saver saver(graph);
    Session session(graph, {.file_system = &disk});
    session.run(global_variables_initializer(graph));
    saver.save(session, "/run/m");
  }
  Graph graph;
  const Variable kernel = variable(zeros(graph, {3}), {.name = "kernel"});
  const Variable bias = variable(zeros(graph, {2}), {.name = "bias_1"});
  const Variable count = variable(graph, int64_t{0}, {.name = "count"});
  const Variable fine = variable(graph, 0.0f, {.name = "fine"});
  Saver saver(graph);
  Session session(graph, {.file_system = &disk});
  session.run(global_variables_initializer(graph));
  try {
    saver.restore(session, "/run/m");
    FAIL("it restored");
  } catch (const Error& e) {
    CHECK(e.code() == Code::kNotFound);
    CHECK_THAT(e.what(), Contains("Key bias_1 not found in checkpoint") &&
                             Contains("nearest: 'bias'") &&
                             Contains("variable 'kernel': graph float [3], checkpoint float [4]") &&
                             Contains("variable 'count': graph int64 [], checkpoint int32 []"));
  }
  CHECK(session.value(fine).scalar<float>() == 0.0f);
}

TEST_CASE("A checkpoint that is not there is told apart from a key that is missing", "[saver]") {
  Disk disk;
  Model m(disk);
  CHECK_THROWS_WITH(m.saver.restore(m.session, "/run/none"),
                    Contains("The passed save_path is not a valid checkpoint: /run/none"));
}

TEST_CASE("A checkpoint that is not there is answered with those that its name may mean",
          "[saver]") {
  Disk disk;
  Model m(disk);
  const auto says = [&](const std::string& prefix, const std::string& guess) {
    CHECK_THROWS_WITH(m.saver.restore(m.session, prefix), EndsWith(guess));
  };
  says("/run/m", "(there is no /run/m.index); there is no checkpoint in this directory");
  for (const int step : {5, 9, 10, 11}) m.saver.save(m.session, "/run/m", {.global_step = step});
  says("/run/m", "; did you mean '/run/m-11', '/run/m-10' and '/run/m-9'?");
  says("/run/n-5", "; did you mean '/run/m-5' and '/run/m-9'?");
  says("/run/something", "; there are '/run/m-5', '/run/m-9', '/run/m-10' and 1 more");
  says("/run/m.index", "; did you mean '/run/m-11', '/run/m-10' and '/run/m-9'?");
  says("/rnu/m-5", "; there is no directory '/rnu'");
}

TEST_CASE("A data file whose bytes changed is refused and no variable is changed",
          "[saver][corruption]") {
  Disk disk;
  Model m(disk);
  m.saver.save(m.session, "/run/m");
  std::string bytes = read_file(disk, "/run/m.data-00000-of-00001");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);  // of b, read after a
  disk.set("/run/m.data-00000-of-00001", bytes);
  m.session.set_value(m.a, Tensor::vector<float>({7, 7, 7}));
  try {
    m.saver.restore(m.session, "/run/m");
    FAIL("it restored");
  } catch (const Error& e) {
    CHECK(e.code() == Code::kDataLoss);
    CHECK_THAT(e.what(), Contains("/run/m.data-00000-of-00001"));
  }
  CHECK(bit_equal(m.session.value(m.a), Tensor::vector<float>({7, 7, 7})));
}

// ---- which checkpoints stay ---------------------------------------------------------------------

TEST_CASE(
    "Only max_to_keep newest checkpoints stay, and the checkpoint file lists them oldest first",
    "[saver]") {
  Disk disk;
  Model m(disk, {.max_to_keep = 2});
  for (int i = 1; i <= 4; ++i) m.saver.save(m.session, "/run/m", {.global_step = i});
  CHECK(disk.names() == Strings{".cairn", "checkpoint", "m-3.data-00000-of-00001", "m-3.index",
                                "m-3.meta", "m-4.data-00000-of-00001", "m-4.index", "m-4.meta"});
  CHECK(m.saver.last_checkpoints() == Strings{"/run/m-3", "/run/m-4"});
  CHECK(read_file(disk, "/run/checkpoint") ==
        "model_checkpoint_path: \"m-4\"\nall_model_checkpoint_paths: "
        "\"m-3\"\nall_model_checkpoint_paths: \"m-4\"\n");
}

TEST_CASE("A max_to_keep of zero keeps all", "[saver]") {
  Disk disk;
  Model m(disk, {.max_to_keep = 0});
  for (int i = 1; i <= 7; ++i) m.saver.save(m.session, "/run/m", {.global_step = i});
  CHECK(disk.names().size() == 2 + 3 * 7);
}

TEST_CASE("Saving the same path again renews its place and removes nothing", "[saver]") {
  Disk disk;
  Model m(disk, {.max_to_keep = 2});
  m.saver.save(m.session, "/run/m", {.global_step = 1});
  m.saver.save(m.session, "/run/m", {.global_step = 2});
  m.saver.save(m.session, "/run/m", {.global_step = 1});
  CHECK(m.saver.last_checkpoints() == Strings{"/run/m-2", "/run/m-1"});
}

TEST_CASE("Every n hours one checkpoint is kept for good", "[saver]") {
  Disk disk;
  double now = 0;
  Model m(disk, at_time(now, {.max_to_keep = 1, .keep_checkpoint_every_n_hours = 1}));
  // one each half hour; 7201 s is the first that is older than the hour when it goes
  for (int i = 1; i <= 6; ++i) {
    now = i * 1800 + 1;
    m.saver.save(m.session, "/run/m", {.global_step = i});
  }
  CHECK(checkpoint_exists("/run/m-2", &disk));
  CHECK_FALSE(checkpoint_exists("/run/m-1", &disk));
  CHECK_FALSE(checkpoint_exists("/run/m-3", &disk));
  CHECK(checkpoint_exists("/run/m-4", &disk));
  CHECK(m.saver.last_checkpoints() == Strings{"/run/m-6"});
}

TEST_CASE("Checkpoints of the run before count towards max_to_keep", "[saver]") {
  Disk disk;
  {
    Model first(disk, {.max_to_keep = 3});
    for (int i = 1; i <= 3; ++i) first.saver.save(first.session, "/run/m", {.global_step = i});
  }
  Model second(disk, {.max_to_keep = 2});
  second.saver.save(second.session, "/run/m", {.global_step = 4});
  CHECK_FALSE(checkpoint_exists("/run/m-1", &disk));
  CHECK_FALSE(checkpoint_exists("/run/m-2", &disk));
  CHECK(checkpoint_exists("/run/m-3", &disk));
  CHECK(second.saver.last_checkpoints() == Strings{"/run/m-3", "/run/m-4"});
}

TEST_CASE("Files that no checkpoint file lists are never removed", "[saver]") {
  Disk disk;
  disk.set("/run/m-0.index", "someone else's");
  disk.set("/run/m-1.data-00000-of-00002", "someone else's");
  Model m(disk, {.max_to_keep = 1});
  for (int i = 2; i <= 4; ++i) m.saver.save(m.session, "/run/m", {.global_step = i});
  CHECK(disk.exists("/run/m-0.index"));
  CHECK(disk.exists("/run/m-1.data-00000-of-00002"));
}

TEST_CASE("An old checkpoint that cannot be removed is a warning; the save stands", "[saver]") {
  MemoryFileSystem memory;
  memory.create_dirs("/run");
  struct NoRemove final : HookedFileSystem {
    using HookedFileSystem::HookedFileSystem;
    void hook(const FileOp& op, const Proceed& proceed) override {
      if (op.kind == FileOp::kRemove) fail_with_errno(op.path, "removing", EACCES);
      proceed(op.bytes);
    }
  } disk(memory);
  std::vector<std::string> warnings;
  Model m(disk, {.max_to_keep = 1,
                 .on_warning = [&](const std::string& text) { warnings.push_back(text); }});
  m.saver.save(m.session, "/run/m", {.global_step = 1});
  CHECK(m.saver.save(m.session, "/run/m", {.global_step = 2}) == "/run/m-2");
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], Contains("could not be removed"));
  CHECK(*latest_checkpoint("/run", kCheckpointFileName, &memory) == "/run/m-2");
}

// ---- the order of a save ------------------------------------------------------------------------

TEST_CASE(
    "Data, index and meta graph are durable before the checkpoint file names them, and only then "
    "old ones go",
    "[saver]") {
  MemoryFileSystem memory;
  memory.create_dirs("/run");
  RecordingFileSystem disk(memory);
  Model m(disk, {.max_to_keep = 1});
  m.saver.save(m.session, "/run/m", {.global_step = 1});
  m.saver.save(m.session, "/run/m", {.global_step = 2});
  const auto ops = disk.changes();
  const auto last = [&](const std::function<bool(const FileOp&)>& is) {
    for (size_t i = ops.size(); i-- > 0;) {
      if (is(ops[i])) return static_cast<int>(i);
    }
    return -1;
  };
  const auto renamed_to = [&](const std::string& to) {
    return last([&](const FileOp& op) { return op.kind == FileOp::kRename && op.to == to; });
  };
  const int data = renamed_to("/run/m-2.data-00000-of-00001"), index = renamed_to("/run/m-2.index"),
            meta = renamed_to("/run/m-2.meta"), state = renamed_to("/run/checkpoint");
  const int removed = last(
      [](const FileOp& op) { return op.kind == FileOp::kRemove && op.path == "/run/m-1.index"; });
  REQUIRE(data > 0);
  CHECK(data < meta);
  CHECK(meta < index);
  CHECK(index < state);
  CHECK(state < removed);
  int synced = 0;
  for (int i = state + 1; i < removed; ++i)
    synced += ops[static_cast<size_t>(i)].kind == FileOp::kSyncDir;
  CHECK(synced > 0);
}

TEST_CASE("Whichever file operation fails, the directory names a whole checkpoint",
          "[saver][faults]") {
  for (const int error : {EIO, ENOSPC}) {
    for (const auto span : {FaultyFileSystem::kOnce, FaultyFileSystem::kForever}) {
      for (size_t i = 0;; ++i) {
        MemoryFileSystem memory;
        memory.create_dirs("/run");
        {
          Model first(memory, {.max_to_keep = 1});
          first.saver.save(first.session, "/run/m", {.global_step = 1});
        }
        FaultyFileSystem disk(memory, i, error, span);
        Model m(disk, {.max_to_keep = 1, .on_warning = [](const std::string&) {}});
        bool saved = true;
        try {
          m.saver.save(m.session, "/run/m", {.global_step = 2});
        } catch (const Error&) {
          saved = false;
        }
        CAPTURE(error, i, saved);
        const auto newest = latest_checkpoint("/run", kCheckpointFileName, &memory);
        REQUIRE(newest);
        if (saved) CHECK(*newest == "/run/m-2");
        Session session(m.graph, {.file_system = &memory});
        CHECK_NOTHROW(m.saver.restore(session, *newest));
        for (const std::string& name : memory.list_dir("/run"))
          CHECK_FALSE((span == FaultyFileSystem::kOnce && is_temporary_name(name)));
        if (!disk.failed()) break;
      }
    }
  }
}

TEST_CASE("Numbers of a saver's options that make no sense are refused", "[saver]") {
  Graph graph;
  variable(ones(graph, {2}), {.name = "a"});
  const int before = graph.num_nodes();
  const auto refused = [&](const SaverOptions& options, const char* why) {
    CHECK_THROWS_WITH(Saver(graph, options), Contains(why));
    CHECK(graph.num_nodes() == before);
  };
  refused({.max_to_keep = -1}, "max_to_keep is -1");
  refused({.keep_checkpoint_every_n_hours = -1}, "keep_checkpoint_every_n_hours is -1");
  refused({.keep_checkpoint_every_n_hours = -1e-9}, "keep_checkpoint_every_n_hours");
  refused({.keep_checkpoint_every_n_hours = std::numeric_limits<double>::quiet_NaN()},
          "keep_checkpoint_every_n_hours");
  refused({.write_version = static_cast<CheckpointFormat>(7)}, "Unexpected write_version: 7");
  CHECK(Saver(graph, {.max_to_keep = 0, .keep_checkpoint_every_n_hours = 0}));
}
