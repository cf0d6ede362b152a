// What a message takes in memory, told from its bytes before it is read.
#pragma once

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <string_view>

namespace cairn {

// About how many bytes of memory reading `bytes` as a message of `type` takes, and a graph made of
// it: two bytes can stand for a whole object. Where they are no such message, what the part takes
// that is one.
uint64_t memory_of_message(std::string_view bytes, const google::protobuf::Descriptor* type);

// Messages of no more bytes pass unseen.
inline constexpr uint64_t kSmallMessage = uint64_t{64} << 10;

// Throws DataLoss when that is out of all proportion to `size`, the size of the file that it comes
// from: nobody wrote such a file to be used.
void check_message_cost(std::string_view bytes, const google::protobuf::Descriptor* type,
                        uint64_t size);

}  // namespace cairn
