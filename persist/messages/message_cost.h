// Estimates the memory of a message from its bytes before it is parsed.
#pragma once

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <string_view>

namespace cairn {

// The approximate memory, in bytes, for parsing `bytes` as a message of `type` and making a graph
// of it: two bytes can describe a whole object. If they are not such a message, the estimate for
// the valid part.
uint64_t memory_of_message(std::string_view bytes, const google::protobuf::Descriptor* type);

// Messages up to this size are not checked.
inline constexpr uint64_t kSmallMessage = uint64_t{64} << 10;

// Throws DataLoss if that is out of proportion to `size`, the size of the file: the file is damaged
// or was made to exhaust memory.
void check_message_cost(std::string_view bytes, const google::protobuf::Descriptor* type,
                        uint64_t size);

}  // namespace cairn
