// README's second example, which goes on with a model from files (go_on.h is its code), beside
// builders whose names the standard library has too, in a file that uses both namespaces.
#include <cairn/cairn.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>
#include <stack>
#include <tuple>
#include <type_traits>
#include <valarray>

using namespace std;
using namespace cairn;

void go_on(const string& prefix, const Tensor& images, const Tensor& labels) {
#include "go_on.h"
  session.run(train[0], {{vars[0], images}, {vars[1], labels}});
}

int main() {
  Graph graph;
  auto x = constant(graph, Tensor::vector<float>({1, 2, 3}));
  auto low = tf::logical_or(tf::less(x, 1.5f), tf::logical_not(tf::less_equal(x, 2.5f)));
  auto high = tf::logical_and(tf::greater(x, 1.5f), tf::greater_equal(x, 2.5f));
  auto pair = tf::tuple({cast(low, DType::kInt32), cast(high, DType::kInt32)});
  auto both = tf::stack({pair[0], pair[1]});
  auto first = tf::slice(tf::identity(both), {0, 0}, {1, 3});
  auto more = reduce_sum(fill(graph, {3}, 0.0f) * maximum(sqrt(abs(x)), exp(x)) + pow(x, 2.0f) +
                         round(floor(x)));
  Session session(graph);
  const Tensor each = session.run(first);
  for (const int32_t number : each.span<int32_t>()) cout << number << " ";
  cout << session.run(tf::rank(first)).scalar<int32_t>() << " " << session.run(more).scalar<float>()
       << "\n";
}
