#include "tools/values.h"

#include <sstream>

#include "persist/checkpoint/checkpoint_state.h"

namespace cairn {
namespace {

// The text quoted for a shell: "'s|^net/||'".
std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

// The rule of R"(s|a|b|)" or "s|a|b|".
std::string rule_of(std::string literal) {
  const size_t begin = literal.starts_with("R\"(") ? 3 : 1, end = begin == 3 ? 2 : 1;
  return literal.substr(begin, literal.size() - begin - end);
}

// Replaces the options that a message of Saver::restore() advises: .rename by `cairn rename`;
// others, which no command has, are removed.
Error in_words_of_commands(const Error& e, const std::string& checkpoint) {
  std::string text;
  std::istringstream lines(e.what());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  .convert_dtypes") || line.starts_with("  .ignore_dtype")) continue;
    constexpr std::string_view kWith = " with .rename = ";
    if (const size_t at = line.find(kWith); at != std::string::npos) {
      line = str_cat(line.substr(0, at), " under other names: cairn rename ",
                     checkpoint_prefix(checkpoint), " DST --re ",
                     shell_word(rule_of(line.substr(at + kWith.size()))));
    }
    text += (text.empty() ? "" : "\n") + line;
  }
  return Error(e.code(), text, e.node());
}

}  // namespace

Error advised(const Error& e, const std::string& advice) {
  constexpr std::string_view kToPrograms =
      "; run the initializer (global_variables_initializer) or restore a checkpoint first";
  std::string text = e.what();
  const size_t at = text.find(kToPrograms);
  if (at == std::string::npos) return e;
  return Error(e.code(), text.replace(at, kToPrograms.size(), advice), e.node());
}

Restored restore_what_is_there(const Saver& saver, Session& session,
                               const std::string& checkpoint) {
  if (!saver) {
    fail(Code::kInvalidArgument,
         "the graph has no variables, so there is nothing to restore; leave out ", checkpoint);
  }
  try {
    return {saver.restore(session, checkpoint), std::nullopt};
  } catch (const Error& e) {
    checkpoint_prefix(checkpoint);  // throws if there is no checkpoint
    const Error told = in_words_of_commands(e, checkpoint);
    if (e.code() != Code::kNotFound) throw told;
    try {
      return {saver.restore(session, checkpoint, {.allow_missing = true}), told};
    } catch (const Error& other) {
      throw in_words_of_commands(other, checkpoint);
    }
  }
}

void initialize_tables(Session& session) {
  const Graph& graph = session.graph();
  if (graph.items(GraphKeys::kTableInitializers).empty()) return;
  for (const Operation& initializer : graph.collection<Operation>(GraphKeys::kTableInitializers)) {
    try {
      session.run(initializer);
    } catch (const Error& e) {
      if (e.code() != Code::kUnimplemented) throw;
    }
  }
}

}  // namespace cairn
