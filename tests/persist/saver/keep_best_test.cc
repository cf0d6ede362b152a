// Checkpoints that stay beside the newest: the best, the pinned, the last good one.
#include <limits>

#include "tests/support/catch.h"
#include "tests/support/small_model.h"

using namespace cairn;
using Catch::Matchers::Contains;
using Ints = std::vector<int>;

namespace {

void save_with(SmallModel& m, const std::string& metric,
               std::initializer_list<std::pair<int, double>> values) {
  for (const auto& [step, value] : values) m.save(step, {.metrics = {{metric, value}}});
}

}  // namespace

TEST_CASE("The best by a metric stay beside the newest", "[retention][best]") {
  RunDisk disk;
  SmallModel m(disk, {.max_to_keep = 1});
  m.saver.keep_best("accuracy", 2);
  save_with(m, "accuracy", {{1, 0.5}, {2, 0.9}, {3, 0.7}, {4, 0.6}, {5, 0.1}});
  CHECK(disk.steps() == Ints{2, 3, 5});
  CHECK(reasons(disk, 2) == Strings{"best accuracy"});
  save_with(m, "accuracy", {{6, 0.8}, {7, 0.2}});
  CHECK(disk.steps() == Ints{2, 6, 7});
}

TEST_CASE("Lower may be better", "[retention][best]") {
  RunDisk disk;
  SmallModel m(disk, {.max_to_keep = 1});
  m.saver.keep_best("loss", 1, {.higher_is_better = false});
  save_with(m, "loss", {{1, 0.5}, {2, 0.1}, {3, 0.7}});
  CHECK(disk.steps() == Ints{2, 3});
}

TEST_CASE("Of equally good checkpoints the older one stays, and NaN is never the best",
          "[retention][best]") {
  RunDisk disk;
  SmallModel m(disk, {.max_to_keep = 1});
  m.saver.keep_best("accuracy", 1);
  save_with(m, "accuracy",
            {{1, std::numeric_limits<double>::quiet_NaN()}, {2, 0.5}, {3, 0.5}, {4, 0.5}});
  CHECK(disk.steps() == Ints{2, 4});
}

TEST_CASE("The best survive a restart in a process that does not ask for them",
          "[retention][best]") {
  RunDisk disk;
  {
    SmallModel m(disk, {.max_to_keep = 1});
    m.saver.keep_best("accuracy", 1);
    save_with(m, "accuracy", {{1, 0.9}, {2, 0.5}});
  }
  SmallModel again(disk, {.max_to_keep = 1});
  again.save_all({3, 4});
  CHECK(disk.steps() == Ints{1, 4});
  save_with(again, "accuracy", {{5, 0.95}, {6, 0}});
  CHECK(disk.steps() == Ints{5, 6});
  again.saver.keep_best("accuracy", 0);
  again.save(7);
  CHECK(disk.steps() == Ints{7});
}

TEST_CASE("A pinned checkpoint stays until it is unpinned, over restarts", "[retention][best]") {
  RunDisk disk;
  {
    SmallModel m(disk, {.max_to_keep = 1});
    m.save(1);
    m.saver.pin(1, &disk);
    m.save_all({2, 3});
  }
  CHECK(disk.steps() == Ints{1, 3});
  SmallModel m(disk, {.max_to_keep = 1});
  m.save_all({4});
  CHECK(disk.steps() == Ints{1, 4});
  CHECK(m.saver.kept().front().prefix == "/run/m-1");
  CHECK(m.saver.kept().front().reasons == Strings{"pinned"});
  m.saver.unpin(1, &disk);
  m.save(5);
  CHECK(disk.steps() == Ints{5});
}

TEST_CASE("A checkpoint saved again under its name stays pinned", "[retention][best]") {
  RunDisk disk;
  SmallModel m(disk, {.max_to_keep = 1});
  m.save(1);
  m.saver.pin("/run/m-1", &disk);
  m.save_all({1, 2, 3});
  CHECK(disk.steps() == Ints{1, 3});
}

TEST_CASE("Unpinning what Cairn did not write does not let it go", "[retention][best]") {
  RunDisk disk;
  SmallModel(disk).save_all({1});
  disk.remove("/run/.cairn");
  SmallModel m(disk, {.max_to_keep = 1});
  m.saver.pin("/run/m-1", &disk);
  m.saver.unpin("/run/m-1", &disk);
  m.save_all({2, 3});
  CHECK(disk.steps() == Ints{1, 3});
}

TEST_CASE("Pinning what is not there is NotFound", "[retention][best]") {
  RunDisk disk;
  SmallModel m(disk);
  CHECK_THROWS_WITH(m.saver.pin("/run/m-9", &disk), Contains("there is no checkpoint /run/m-9"));
  CHECK_THROWS_WITH(m.saver.pin(9, &disk), Contains("no checkpoint of step 9 is known"));
}

TEST_CASE("The last checkpoint whose values were all finite is never rotated out",
          "[retention][nonfinite]") {
  RunDisk disk;
  SmallModel m(disk, {.max_to_keep = 2});
  m.save_all({1, 2});
  m.set_a(std::numeric_limits<float>::quiet_NaN());
  m.save_all({3, 4, 5});
  CHECK(disk.steps() == Ints{2, 4, 5});
  CHECK(reasons(disk, 2) == Strings{"last good"});
  CHECK(m.saver.kept().back().finite == false);
  SmallModel again(disk, {.max_to_keep = 1});
  again.set_a(std::numeric_limits<float>::infinity());
  again.save(6);
  CHECK(disk.steps() == Ints{2, 6});
  again.set_a(1);
  again.save(7);
  CHECK(disk.steps() == Ints{7});
}
