#include "persist/messages/message_cost.h"

#include <google/protobuf/message.h>

#include <unordered_map>

#include "cairn/graph.pb.h"
#include "persist/messages/message.h"
#include "persist/messages/schema.h"
#include "persist/messages/wire.h"
#include "runtime/base/error.h"

namespace cairn {
namespace {

namespace proto = google::protobuf;
using Field = proto::FieldDescriptor;

// A graph's message is copied once during import, and a growing list may have twice the capacity it
// needs.
constexpr uint64_t kCopies = 2;
constexpr uint64_t kPointer = 16, kString = 40, kNumber = 8, kUnknown = 32, kMapEntry = 64;
constexpr uint64_t kNodeOfGraph = 600;  // in addition to its message

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

class Cost {
 public:
  uint64_t total = 0;

  // False if the bytes are not a valid message.
  bool add(std::string_view bytes, const proto::Descriptor* type, int depth) {
    while (!bytes.empty()) {
      const auto tag = take_varint<uint32_t>(bytes);
      if (!tag) return false;
      const Field* field = type->FindFieldByNumber(static_cast<int>(*tag >> 3));
      total += field ? 0 : kCopies * kUnknown;
      uint64_t length = 0;
      switch (*tag & 7) {
        case kVarint:
          if (!take_varint(bytes)) return false;
          if (field && field->is_repeated()) total += kCopies * kNumber;
          continue;
        case kFixed64:
        case kFixed32:
          length = (*tag & 7) == kFixed64 ? 8 : 4;
          break;
        case kBytes:
          if (const auto told = take_varint(bytes)) {
            length = *told;
            break;
          }
          return false;
        default:
          return false;
      }
      if (length > bytes.size()) return false;
      if (field && (*tag & 7) == kBytes && !add_bytes(bytes.substr(0, length), *field, depth))
        return false;
      bytes.remove_prefix(length);
    }
    return true;
  }

 private:
  bool add_bytes(std::string_view bytes, const Field& field, int depth) {
    if (const auto* inside = field.message_type()) {
      total += kCopies * kPointer + size_of(inside);
      return depth < kMaxNesting && add(bytes, inside, depth + 1);
    }
    const bool text = field.cpp_type() == Field::CPPTYPE_STRING;
    // Each packed number has at least one byte.
    total += kCopies * (text ? kString + bytes.size() : bytes.size() * kNumber);
    return true;
  }

  uint64_t size_of(const proto::Descriptor* type) {
    const auto [at, is_new] = sizes_.try_emplace(type, 0);
    if (is_new) {
      at->second = kCopies * (type->map_key() ? kMapEntry : new_message(*type)->SpaceUsedLong());
      if (type == node_) at->second += kNodeOfGraph;
    }
    return at->second;
  }

  const proto::Descriptor* const node_ = &descriptor_of(pb::NodeDef());
  std::unordered_map<const proto::Descriptor*, uint64_t> sizes_;
};

}  // namespace

uint64_t memory_of_message(std::string_view bytes, const proto::Descriptor* type) {
  Cost cost;
  cost.add(bytes, type, 0);
  return cost.total;
}

void check_message_cost(std::string_view bytes, const proto::Descriptor* type, uint64_t size) {
  // Below the limit for examining a whole file: 64 MB plus 50 bytes per byte.
  constexpr uint64_t kFree = uint64_t{48} << 20, kPerByte = 40;
  if (bytes.size() <= kSmallMessage) return;
  const uint64_t memory = memory_of_message(bytes, type);
  if (memory <= kFree + kPerByte * size) return;
  fail(Code::kDataLoss, "its ", size, " bytes would take ", memory, " bytes of memory as a ",
       type->name(), ": it is damaged or was made to exhaust memory");
}

}  // namespace cairn
