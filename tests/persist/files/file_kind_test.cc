// Files that are given where a checkpoint is expected: what is said of each, word for word.
#include "persist/files/file_kind.h"

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/graph/meta_graph.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

using namespace cairn;
using namespace std::literals;

namespace {

const std::string kAdvice =
    ": give what the files of a checkpoint have in common (PREFIX of PREFIX.index), or their "
    "directory";

struct Kind {
  std::string bytes, said;
};
const Kind kKinds[] = {
    {"PK\x03\x04 and more"s, "a zip archive, as torch.save, numpy.savez and Keras write" + kAdvice},
    {"\x89HDF\r\n\x1a\n..."s, "an HDF5 file, as Keras writes" + kAdvice},
    {"\x80\x02}q\x00(U"s,
     "a Python pickle, as pickle.dump and old torch.save write; Cairn does not run pickles" +
         kAdvice},
    {"\x80\x04\x95\x10"s,
     "a Python pickle, as pickle.dump and old torch.save write; Cairn does not run pickles" +
         kAdvice},
    {"\n <!DOCTYPE HTML><html>"s,
     "a web page (HTML): the download gave a page in place of the file"},
    {"<HTML><head>"s, "a web page (HTML): the download gave a page in place of the file"},
    {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n"s,
     "a Git LFS pointer and not the file itself: fetch it with `git lfs pull`"},
    {"\x1f\x8b\x08..."s, "compressed with gzip: decompress it first"},
    {"BZh91AY"s, "compressed with bzip2: decompress it first"},
    {"\xfd"
     "7zXZ\0\0"s,
     "compressed with xz: decompress it first"},
    {"\x28\xb5\x2f\xfd"s, "compressed with zstd: decompress it first"},
    {"\x93NUMPY\x01"s, "a NumPy array (.npy)" + kAdvice},
    {"@\0\0\0\0\0\0\0{\"__metadata__\""s, "a safetensors file" + kAdvice},
    {"GGUF\x03"s, "a GGUF file, as llama.cpp uses" + kAdvice},
    {"{\"class_name\": \"Sequential\"}"s, "text, JSON by its look" + kAdvice},
    {"<?xml version=\"1.0\"?>"s, "text, XML by its look" + kAdvice},
    {std::string(257, 'a') + "ustar\0" + "00"s, "a tar archive" + kAdvice},
    {"model_checkpoint_path: \"m\"\n"s,
     "the text that names a directory's newest checkpoint: give the directory, and call this file "
     "`checkpoint`"},
    {"Hello, world.\n"s, "plain text" + kAdvice},
    {""s, "an empty file" + kAdvice},
};

}  // namespace

TEST_CASE("A file of another kind given as a checkpoint is told, with what to do",
          "[persist][file_kind]") {
  for (const Kind& kind : kKinds) {
    MemoryFileSystem fs;
    fs.set("m", kind.bytes);
    const Error error = error_of([&] { CheckpointReader("m", &fs); });
    CHECK(error.code() == Code::kDataLoss);
    CHECK(std::string(error.what()) == "m: this is no checkpoint but " + kind.said);
  }
}

TEST_CASE("A file of another kind in place of the index is told, and called damaged",
          "[persist][file_kind]") {
  for (const Kind& kind : kKinds) {
    MemoryFileSystem fs;
    fs.set("m.index", kind.bytes);
    const size_t advice = kind.said.find(kAdvice);
    CHECK(std::string(error_of([&] { CheckpointReader("m", &fs); }).what()) ==
          (advice == std::string::npos
               ? "m.index: this is no checkpoint but " + kind.said
               : "m.index: the file is damaged: " + kind.said.substr(0, advice) +
                     " where an index should be; use another copy"));
  }
}

TEST_CASE("Text in place of the values is called damage", "[persist][file_kind]") {
  MemoryFileSystem fs;
  BundleWriter writer(fs, "m");
  writer.add("W", Tensor::zeros(DType::kFloat, {1000}));
  writer.finish();
  fs.set("m.data-00000-of-00001", "Hello, world.\n");
  CHECK(std::string(error_of([&] { CheckpointReader("m", &fs).get_tensor("W"); }).what()) ==
        "m.data-00000-of-00001: the file is damaged: plain text where a data file should be; use "
        "another copy");
}

TEST_CASE("A Git LFS pointer in place of the values is told", "[persist][file_kind]") {
  MemoryFileSystem fs;
  BundleWriter writer(fs, "m");
  writer.add("W", Tensor::zeros(DType::kFloat, {1000}));
  writer.finish();
  fs.set("m.data-00000-of-00001",
         "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4000\n");
  CHECK(std::string(error_of([&] { CheckpointReader("m", &fs).get_tensor("W"); }).what()) ==
        "m.data-00000-of-00001: this is no checkpoint but a Git LFS pointer and not the file "
        "itself: fetch it with "
        "`git lfs pull`");
}

TEST_CASE("A checkpoint of the old format is no other kind: it is read", "[persist][file_kind]") {
  MemoryFileSystem fs;
  CheckpointV1Writer writer(fs, "m");
  writer.add("W", Tensor(1.0f));
  writer.finish();
  CHECK(CheckpointReader("m", &fs).version() == CheckpointFormat::kV1);
}

TEST_CASE("The text of a checkpoint file under another name is told apart from a checkpoint",
          "[persist][file_kind]") {
  MemoryFileSystem fs;
  fs.set("checkpoint.txt", "model_checkpoint_path: \"m\"\n");
  CHECK(std::string(error_of([&] { CheckpointReader("checkpoint.txt", &fs); }).what()) ==
        "checkpoint.txt: this is no checkpoint but the text that names a directory's newest "
        "checkpoint: give the "
        "directory, and call this file `checkpoint`");
}

TEST_CASE("Bytes that are of no known kind are not guessed at", "[persist][file_kind]") {
  CHECK(file_kind("\x01\x02\x03") == "");
  CHECK(no_checkpoint_but("\x01\x02\x03\xff") == "");
}

TEST_CASE("A graph that is given as a checkpoint is called one, in bytes and in text",
          "[persist][file_kind]") {
  const MetaGraph graph = MetaGraph::parse("graph_def { node { name: 'x' op: 'NoOp' } }", "g");
  const MetaGraph meta = MetaGraph::parse(
      "meta_info_def { stripped_op_list { op { name: 'NoOp' } } } graph_def { node { name: 'x' op: "
      "'NoOp' } }",
      "g");
  const std::string saved_model = "\x08\x01\x12\x00"s;
  for (const std::string& bytes :
       {graph.graph_def(), meta.bytes(), saved_model, graph.graph_def_text(), meta.text(),
        "saved_model_schema_version: 1\n"s}) {
    CAPTURE(bytes);
    CHECK(no_checkpoint_but(bytes).starts_with("this is no checkpoint but a graph"));
    CHECK(no_checkpoint_but(bytes).find("cairn meta") != std::string::npos);
  }
}

TEST_CASE("An event file is called one, whatever it is given as", "[persist][file_kind]") {
  const std::string event =
      "\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22\x09\0\0\0\0\0\0\xd0\x41\x1a\x0d"s + "brain.Event:2";
  CHECK(file_kind(event).starts_with("a TensorFlow event file"));
  CHECK(
      says(error_of([&] { MetaGraph::parse(event, "events"); }), "it is a TensorFlow event file"));
  MemoryFileSystem fs;
  write_file_atomically(fs, "events", event);
  CHECK(says(error_of([&] { CheckpointReader("events", &fs); }),
             "no checkpoint but a TensorFlow event file"));
}
