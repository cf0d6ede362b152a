// Collections of messages of one's own, as typed values: hyperparameters, notes on a data set,
// whatever a program wants to find beside its graph.
//
//   struct HParams { float learning_rate; int units; };
//   const auto hparams = register_proto<HParams>("hparams", to_proto, from_proto);
//
//   // kept by export_meta_graph and by savers
//   hparams.add(graph, {.learning_rate = 0.1f, .units = 128});
//   ...
//   import_meta_graph(graph, "run/model-1000.meta");                 // in another process
//   std::vector<HParams> found = hparams.get(graph);
//
// In the graph and in files the collection holds the messages' bytes, as TensorFlow's
// register_proto_function has it; a program that does not register the key carries them unchanged.
// Nothing is registered globally: what register_proto gives is the door, and it is opened where it
// is needed. Protobuf itself is not included here: a message is whatever has SerializeAsString()
// and ParseFromString(), or plain bytes.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/graph/graph.h"

namespace CAIRN_API cairn {

// A message class that protoc made.
template <class M>
concept ProtoMessage = requires(M& into, const M& from, const std::string& bytes) {
  { from.SerializeAsString() } -> std::convertible_to<std::string>;
  { into.ParseFromString(bytes) } -> std::convertible_to<bool>;
};

// The collection `key` of any graph, whose items are T. Made by register_proto.
template <class T>
class ProtoCollection {
 public:
  using ToBytes = std::function<std::string(const T& item)>;
  using FromBytes = std::function<T(const std::string& bytes)>;
  ProtoCollection(std::string key, ToBytes to_bytes, FromBytes from_bytes)
      : key_(std::move(key)), to_bytes_(std::move(to_bytes)), from_bytes_(std::move(from_bytes)) {}

  const std::string& key() const { return key_; }
  void add(Graph& graph, const T& item) const { graph.add_to_collection(key_, to_bytes_(item)); }
  // In order. Throws InvalidArgument when the collection holds something else than bytes, DataLoss
  // naming the item that is no such message, and what from_proto throws.
  std::vector<T> get(const Graph& graph) const {
    std::vector<T> items;
    for (const std::string& bytes : graph.collection<std::string>(key_)) {
      try {
        items.push_back(from_bytes_(bytes));
      } catch (const Error& e) {
        throw Error(e.code(),
                    str_cat("collection '", key_, "', item ", items.size(), ": ", e.what()));
      }
    }
    return items;
  }

 private:
  std::string key_;
  ToBytes to_bytes_;
  FromBytes from_bytes_;
};

namespace internal {

inline std::string message_bytes(std::string bytes) { return bytes; }
template <ProtoMessage M>
std::string message_bytes(const M& message) {
  return message.SerializeAsString();
}

template <class M>
M message_from(const std::string& bytes) {
  if constexpr (std::is_same_v<M, std::string>) {
    return bytes;
  } else {
    M message;
    if (!message.ParseFromString(bytes))
      fail(Code::kDataLoss, "these ", bytes.size(), " bytes are no such message");
    return message;
  }
}

}  // namespace internal

// The collection `key` as values of T. `to_proto` makes of a T a message, or bytes; `from_proto`
// takes the same and gives the T.  (tf.register_proto_function)
template <class T, class ToProto, class FromProto>
ProtoCollection<T> register_proto(std::string key, ToProto to_proto, FromProto from_proto) {
  using M = std::remove_cvref_t<std::invoke_result_t<ToProto&, const T&>>;
  static_assert(ProtoMessage<M> || std::is_same_v<M, std::string>,
                "to_proto gives a protobuf message or a std::string");
  return {std::move(key),
          [to_proto](const T& item) { return internal::message_bytes(to_proto(item)); },
          [from_proto](const std::string& bytes) -> T {
            return from_proto(internal::message_from<M>(bytes));
          }};
}
// The messages themselves.
template <ProtoMessage T>
ProtoCollection<T> register_proto(std::string key) {
  return {std::move(key), [](const T& item) { return internal::message_bytes(item); },
          internal::message_from<T>};
}

}  // namespace cairn
