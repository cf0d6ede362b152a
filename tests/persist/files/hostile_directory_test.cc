// Directories that somebody has prepared: links, pipes, directories in every place of a checkpoint
// directory. Readers change nothing anywhere; writers change nothing outside, and no file that is
// not theirs.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "persist/checkpoint/bundle.h"
#include "persist/extras/checkpoint_doctor.h"
#include "persist/extras/rename_checkpoint.h"
#include "persist/files/publication.h"
#include "tests/persist/files/hostile.h"

namespace cairn {
namespace {

namespace stdfs = std::filesystem;
using namespace hostile;
using Catch::Matchers::Contains;
using Strings = std::vector<std::string>;

struct Kind {
  std::string name;
  std::function<void(const stdfs::path& at, const stdfs::path& outside)> make;
};

std::vector<Kind> kinds() {
  const auto link = [](const std::string& to) {
    return [to](const stdfs::path& at, const stdfs::path& outside) {
      stdfs::create_symlink(outside / to, at);
    };
  };
  const auto socket_at = [](const stdfs::path& at, const stdfs::path&) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    // The address holds about a hundred bytes only: made in the directory itself.
    const int here = open(".", O_RDONLY | O_DIRECTORY);
    REQUIRE(chdir(at.parent_path().c_str()) == 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    at.filename().string().copy(address.sun_path, sizeof address.sun_path - 1);
    CHECK(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(fchdir(here) == 0);
    close(here);
    close(fd);
  };
  return {
      {"a link to a file", link("victim")},
      {"a link to an index", link("m-1.index")},
      {"a link to a directory", link("parts")},
      {"a link that leads nowhere", link("new")},
      {"a link to a device",
       [](const auto& at, const auto&) { stdfs::create_symlink("/dev/zero", at); }},
      {"a link to itself",
       [](const auto& at, const auto&) { stdfs::create_symlink(at.filename(), at); }},
      {"a named pipe", [](const auto& at, const auto&) { REQUIRE(mkfifo(at.c_str(), 0600) == 0); }},
      {"a socket", socket_at},
      {"an empty directory", [](const auto& at, const auto&) { stdfs::create_directory(at); }},
      {"a directory with a user's file", [](const auto& at, const auto&) {
         stdfs::create_directory(at);
         write_bytes(at / "part-of-thesis.txt", "a user's");
       }}};
}

Strings places() {
  const std::string digits(32, 'a');
  Strings names = {"checkpoint",         ".cairn", ".t-01234567", ".o-0123456789abcd",
                   "m-2_temp_" + digits, "m-2"};
  for (const char* m : {"m-2", "m-3"}) {
    for (const char* ending : {".index", ".meta", ".data-00000-of-00001"})
      names.push_back(std::string(m) + ending);
    names.push_back(base_name(journal_path(m)));
    names.push_back(m + models().parts_ending());
  }
  return names;
}

void run_writers(const std::string& run, FileSystem& fs) {
  const Models& all = models();
  const std::string m = run + "/m";
  const std::vector<std::function<void()>> writers = {
      [&] { all.v2.save(fs, m, {.global_step = 3}); },
      [&] { all.sharded.save(fs, m, {.global_step = 2}); },
      [&] { all.sharded.save(fs, m, {.global_step = 3}); },
      [&] { all.v1.save(fs, m, {.global_step = 2}); },
      [&] {
        Session session(all.v2.graph(), {.threads = 1, .file_system = &fs});
        Saver saver(all.v2.graph(), all.quiet);
        saver.preflight(session, m);
      },
      [&] {
        BundleWriter writer(fs, m + "-2");
        writer.add("w", Tensor(1.0f));
        writer.finish();
      },
      [&] { rename_checkpoint(m + "-2", m + "-3", {}, {.file_system = &fs}); },
      [&] { repair_directory(run, &fs); },
      [&] { all.v2.save(fs, m, {.global_step = 5}); }};
  for (const auto& writer : writers) let(writer);
}

}  // namespace

TEST_CASE(
    "Whatever is planted in a checkpoint directory, readers change nothing and writers nothing "
    "outside",
    "[persist][hostile]") {
  const Patience patience;
  for (const Kind& kind : kinds()) {
    for (const std::string& name : places()) {
      CAPTURE(kind.name, name);
      const Place place;
      place.plant(name, [&](const stdfs::path& at) { kind.make(at, place.outside()); });
      const auto before = tree(place.dir.path());
      run_readers(place.run(), place.fs);
      CHECK((tree(place.dir.path()) == before));
      const auto outside = tree(place.outside());
      run_writers(place.run(), place.fs);
      CHECK((tree(place.outside()) == outside));
      CHECK(read_bytes(place.run() / "thesis.txt") == "a user's");
      if (kind.name.ends_with("a user's file"))
        CHECK(stdfs::exists(place.run() / name / "part-of-thesis.txt"));
    }
  }
}

TEST_CASE("A save goes on beside what it has no business with, and says what stands in its way",
          "[persist][hostile]") {
  const Patience patience;
  const std::string parts = "m-3" + models().parts_ending();
  for (const Kind& kind : kinds()) {
    for (const std::string name : {".t-01234567", ".o-0123456789abcd", "stranger.index"}) {
      CAPTURE(kind.name, name);
      const Place place;
      place.plant(name, [&](const stdfs::path& at) { kind.make(at, place.outside()); });
      CHECK(models().v2.save(place.fs, place.run() / "m", {.global_step = 3}) ==
            place.run() / "m-3");
      CHECK(latest_checkpoint(place.run(), {.verify = true, .file_system = &place.fs}) ==
            place.run() / "m-3");
      struct stat s;
      CHECK(lstat((place.run() / name).c_str(), &s) == 0);
    }
  }
  const Place place;
  place.plant(parts, [&](const stdfs::path& at) {
    stdfs::create_directory_symlink(place.outside() / "parts", at);
  });
  const Error error =
      error_of([&] { models().sharded.save(place.fs, place.run() / "m", {.global_step = 3}); });
  CHECK(error.code() == Code::kFailedPrecondition);
  CHECK_THAT(error.what(), Contains(parts) && Contains("it is a symbolic link"));
  CHECK_FALSE(stdfs::exists(place.run() / "m-3.index"));
}

TEST_CASE("A directory of parts goes only if all that is in it has a name that saves give",
          "[persist][hostile]") {
  const Place place;
  const auto parts = [](char digit) { return "m-9_temp_" + std::string(32, digit); };
  const std::vector<std::pair<char, Strings>> contents = {
      {'a',
       {"part-00000-of-00002.index", "part-00000-of-00002.data-00000-of-00001", ".t-01234567"}},
      {'b', {"part-00000-of-00002.index", "part-thesis.txt"}},
      {'c', {"part-00000-of-00002.index.bak"}},
      {'d', {"part-00000-of-00002"}}};
  for (const auto& [digit, names] : contents) {
    stdfs::create_directory(place.run() / parts(digit));
    for (const std::string& name : names) write_bytes(place.run() / parts(digit) / name, "x");
  }
  stdfs::create_directory(place.run() / parts('e'));
  stdfs::create_symlink(place.outside() / "victim",
                        place.run() / parts('e') / "part-00000-of-00002.index");
  repair_directory(place.run(), &place.fs);
  CHECK_FALSE(stdfs::exists(place.run() / parts('a')));
  for (const char digit : {'b', 'c', 'e'}) CHECK(tree(place.run() / parts(digit)).size() >= 1);
  CHECK(tree(place.run() / parts('b')).size() == 2);
}

}  // namespace cairn
