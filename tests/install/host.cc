// host MODE PLUGIN ...: loads the plugins, all of them before any is used; MODE is local or global.
#include <dlfcn.h>

#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  const int mode = std::string(argv[1]) == "global" ? RTLD_GLOBAL : RTLD_LOCAL;
  std::vector<void*> plugins;
  for (int i = 2; i < argc; ++i) {
    plugins.push_back(dlopen(argv[i], RTLD_NOW | mode));
    if (!plugins.back()) return std::cerr << dlerror() << "\n", 1;
  }
  for (size_t i = 0; i < plugins.size(); ++i) {
    const auto work = reinterpret_cast<const char* (*)(const char*)>(dlsym(plugins[i], "work"));
    std::cout << work(("plugin-model-" + std::to_string(i)).c_str()) << "\n";
  }
}
