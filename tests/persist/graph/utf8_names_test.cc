// Text that is not UTF-8 cannot stand in a .meta file: whoever puts it into a graph hears of it
// before anything is saved.
#include "persist/catalog.h"
#include "tests/support/catch.h"
#include "tests/support/small_model.h"

using namespace cairn;
using Catch::Matchers::Contains;

namespace {

// Saving a graph that `spoil` has been at fails with all of `says` in the message, and leaves the
// directory as it was.
void check_refused(const std::function<void(SmallModel&)>& spoil,
                   std::initializer_list<const char*> says) {
  RunDisk disk;
  SmallModel m(disk);
  m.save(1);
  const auto before = disk.contents();
  spoil(m);
  const auto attempts = {
      std::function<void()>([&] { m.save(2); }),
      std::function<void()>(
          [&] { m.saver.save_async(m.session, "/run/m", {.global_step = 2}).wait(); }),
      std::function<void()>(
          [&] { export_meta_graph(m.graph, {.filename = "/run/graph", .file_system = &disk}); }),
      std::function<void()>([&] {
        export_meta_graph(m.graph,
                          {.filename = "/run/graph", .as_text = true, .file_system = &disk});
      }),
  };
  for (const auto& attempt : attempts) {
    try {
      attempt();
      FAIL_CHECK("not refused");
    } catch (const Error& e) {
      CHECK(e.code() == Code::kInvalidArgument);
      for (const char* part : says) CHECK_THAT(e.what(), Contains(part));
    }
    CHECK(disk.contents() == before);
  }
}

}  // namespace

TEST_CASE("A collection's key that is not UTF-8 is refused", "[utf8]") {
  check_refused([](SmallModel& m) { m.graph.add_to_collection("\xe9t\xe9", m.a.value()); },
                {"collection_def['\\xe9t\\xe9']", "not UTF-8"});
}

TEST_CASE("A device that is not UTF-8 is refused with the node and where it was made", "[utf8]") {
  check_refused(
      [](SmallModel& m) {
        const auto device = m.graph.device("/gpu:\xff");
        constant(m.graph, 1.0f, {.name = "lost"});
      },
      {"Const 'lost' (utf8_names_test.cc:", "its device '/gpu:\\xff'"});
}

TEST_CASE("A type or a name in a collection that is not UTF-8 is refused", "[utf8]") {
  check_refused(
      [](SmallModel& m) {
        m.graph.add_to_collection("any", AnyItem{"type.googleapis.com/\xff", "x"});
      },
      {"collection_def['any']", "type_url", "type.googleapis.com/\\xff"});
  check_refused(
      [](SmallModel& m) { m.graph.add_to_collection("names", UnresolvedName{"\xc0\xaf"}); },
      {"collection_def['names']", "node_list", "'\\xc0\\xaf'"});
}

TEST_CASE("The name of a partitioned variable that is not UTF-8 is refused", "[utf8]") {
  check_refused(
      [](SmallModel& m) {
        VariableInfo info = m.a.info();
        info.slice = {.full_name = "W\xff", .full_shape = {3}, .var_offset = {0}, .var_shape = {3}};
        m.graph.add_to_collection(GraphKeys::kModelVariables, Variable(std::move(info)));
      },
      {"VariableV2 'a'", "'W\\xff'"});
}

TEST_CASE("The name of an attribute, and of a function in one, that is not UTF-8 is refused",
          "[utf8]") {
  check_refused(
      [](SmallModel& m) {
        add_operation(m.graph, *all_ops().find("NoOp"), {}, {{"_t\xe9", int64_t{1}}}, "n");
      },
      {"NoOp 'n'", "'_t\\xe9'"});
  check_refused(
      [](SmallModel& m) {
        add_operation(m.graph, *all_ops().find("NoOp"), {},
                      {{"_f", Attr(Attr::Value(FuncAttr{"f\xff"}))}}, "n");
      },
      {"NoOp 'n'", "'f\\xff'"});
}

TEST_CASE(
    "Bytes that a collection or an attribute holds as bytes may be any, and so may be names of "
    "tensors",
    "[utf8]") {
  RunDisk disk;
  SmallModel m(disk);
  m.graph.add_to_collection("bytes", std::string("\xff\xfe"));
  m.graph.add_to_collection("\xc3\xa9t\xc3\xa9", m.a.value());
  const auto device = m.graph.device("/job:\xe6\x97\xa5");
  constant(m.graph, Tensor(std::string("\xff")), {.name = "text"});
  const std::string prefix = m.save(1);
  Graph again;
  import_meta_graph(again, prefix + ".meta", {.file_system = &disk});
  CHECK(again.collection<std::string>("bytes") == Strings{"\xff\xfe"});
  CHECK(again.collection<Output>("\xc3\xa9t\xc3\xa9").size() == 1);
  CHECK(again.find_op("text").node().device == "/job:\xe6\x97\xa5");

  Graph other;
  const Variable w = variable(constant(other, 5.0f), {.name = "w"});
  Session session(other, {.file_system = &disk});
  session.run(w.initializer());
  Saver named(other, {.var_list = {{"k\xff", w}}});
  named.restore(session, named.save(session, "/run/bytes"));
  CHECK(session.value(w).scalar<float>() == 5.0f);
}

TEST_CASE("A path that is not UTF-8 is saved to and found again", "[utf8]") {
  RunDisk disk;
  SmallModel m(disk);
  const std::string prefix = m.saver.save(m.session, "/run/m\xe9");
  CHECK(latest_checkpoint("/run", kCheckpointFileName, &disk) == prefix);
  m.saver.restore(m.session, "/run");
}
