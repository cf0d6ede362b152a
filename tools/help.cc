#include "tools/help.h"

#include <sstream>

namespace cairn {
namespace {

constexpr size_t kColumns = 80, kSecondColumn = 30;

// One paragraph, broken into lines. The first continues at `column`; the others begin at `indent`.
std::string wrapped(const std::string& text, size_t indent, size_t column) {
  std::string out;
  bool first = true;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (!first && column + 1 + (end - at) > kColumns) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out.append(text, at, end - at);
    column += end - at;
    first = false;
    at = end + 1;
  }
  return out;
}

std::string entry(const std::string& name, const std::string& about) {
  std::string out = "  " + name;
  if (out.size() + 2 > kSecondColumn) {
    out += '\n' + std::string(kSecondColumn, ' ');
  } else {
    out.append(kSecondColumn - out.size(), ' ');
  }
  return out + wrapped(about, kSecondColumn, kSecondColumn) + "\n";
}

class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* app) const override {
    return wrapped(app->get_description(), 0, 0) + "\n";
  }
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    return entry(make_option_name(option, is_positional) + make_option_opts(option),
                 make_option_desc(option));
  }
  std::string make_subcommand(const CLI::App* command) const override {
    return entry(command->get_name(), command->get_description());
  }
  std::string make_footer(const CLI::App* app) const override {
    std::string out;
    std::istringstream lines(app->get_footer());
    for (std::string line; std::getline(lines, line);) {
      out += (line.starts_with(' ') ? line : wrapped(line, 0, 0)) + "\n";
    }
    return out;
  }
};

}  // namespace

std::shared_ptr<CLI::Formatter> help_formatter() { return std::make_shared<HelpFormatter>(); }

}  // namespace cairn
