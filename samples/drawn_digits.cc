// Draws digits with a pen: each class consists of strokes in the unit square, which a random affine
// map and random noise change for each digit.
#include <algorithm>
#include <array>
#include <cmath>

#include "samples/mnist_data.h"
#include "samples/random.h"

namespace cairn {

namespace {

constexpr int kSide = 28, kPixels = kSide * kSide, kClasses = 10, kTrain = 10000, kTest = 2000;

struct Point {
  float x, y;  // x to the right, y down
};
using Stroke = std::vector<Point>;

const std::array<std::vector<Stroke>, kClasses> kShapes = {{
    {{{.50, .10},
      {.70, .20},
      {.78, .50},
      {.70, .80},
      {.50, .90},
      {.30, .80},
      {.22, .50},
      {.30, .20},
      {.50, .10}}},
    {{{.36, .26}, {.52, .10}, {.52, .90}}},
    {{{.25, .28},
      {.35, .13},
      {.55, .10},
      {.72, .20},
      {.72, .38},
      {.55, .58},
      {.24, .88},
      {.78, .88}}},
    {{{.26, .16},
      {.50, .10},
      {.70, .20},
      {.68, .38},
      {.46, .47},
      {.70, .56},
      {.74, .75},
      {.52, .90},
      {.25, .84}}},
    {{{.60, .90}, {.60, .10}, {.22, .62}, {.80, .62}}},
    {{{.72, .12},
      {.34, .12},
      {.30, .46},
      {.54, .42},
      {.73, .56},
      {.72, .78},
      {.50, .90},
      {.26, .84}}},
    {{{.66, .12},
      {.42, .28},
      {.28, .60},
      {.34, .82},
      {.52, .90},
      {.70, .80},
      {.70, .60},
      {.52, .50},
      {.30, .62}}},
    {{{.22, .12}, {.78, .12}, {.58, .45}, {.42, .90}}},
    {{{.50, .48},
      {.30, .34},
      {.34, .16},
      {.50, .10},
      {.66, .16},
      {.70, .34},
      {.50, .48},
      {.27, .66},
      {.32, .84},
      {.50, .90},
      {.68, .84},
      {.73, .66},
      {.50, .48}}},
    {{{.70, .38},
      {.50, .50},
      {.31, .40},
      {.31, .20},
      {.50, .10},
      {.68, .20},
      {.70, .38},
      {.66, .68},
      {.52, .90}}},
}};

// Inks the pixels near the line from a to b (in pixels); a pixel keeps the maximum over all lines.
void draw_line(Point a, Point b, float radius, float* image) {
  const auto first = [&](float p, float q) {
    return std::max(0, static_cast<int>(std::floor(std::min(p, q) - radius - 1)));
  };
  const auto last = [&](float p, float q) {
    return std::min(kSide - 1, static_cast<int>(std::ceil(std::max(p, q) + radius + 1)));
  };
  const float dx = b.x - a.x, dy = b.y - a.y, length2 = std::max(dx * dx + dy * dy, 1e-6f);
  for (int row = first(a.y, b.y); row <= last(a.y, b.y); ++row) {
    for (int col = first(a.x, b.x); col <= last(a.x, b.x); ++col) {
      const float px = static_cast<float>(col) - a.x, py = static_cast<float>(row) - a.y;
      const float along = std::clamp((px * dx + py * dy) / length2, 0.0f, 1.0f);
      const float distance = std::hypot(px - along * dx, py - along * dy);
      float& pixel = image[row * kSide + col];
      pixel = std::max(pixel, std::clamp(radius + 0.5f - distance, 0.0f, 1.0f));
    }
  }
}

void draw_digit(int digit, SplitMix& random, float* image) {
  const float turn = random.uniform(-0.3f, 0.3f), slant = random.uniform(-0.3f, 0.3f);
  const float width = random.uniform(14, 23), height = random.uniform(16, 24);
  const float x0 = 13.5f + random.uniform(-2, 2), y0 = 13.5f + random.uniform(-2, 2);
  const float radius = random.uniform(0.7f, 1.7f), wobble = 0.05f;
  const float c = std::cos(turn), s = std::sin(turn);
  const auto place = [&](Point p) {
    const float y = (p.y - 0.5f + random.uniform(-wobble, wobble)) * height;
    const float x = (p.x - 0.5f + random.uniform(-wobble, wobble)) * width - slant * y;
    return Point{x0 + c * x - s * y, y0 + s * x + c * y};
  };
  for (const Stroke& stroke : kShapes[digit]) {
    Point from = place(stroke[0]);
    for (size_t i = 1; i < stroke.size(); ++i) {
      const Point to = place(stroke[i]);
      draw_line(from, to, radius, image);
      from = to;
    }
  }
  // Values are multiples of 1/255, as in MNIST, so that the last bits of a cosine do not matter.
  for (int i = 0; i < kPixels; ++i) {
    const float noisy =
        image[i] * random.uniform(0.7f, 1.0f) + std::max(0.0f, random.uniform(-1.0f, 0.25f));
    image[i] = std::round(std::min(noisy, 1.0f) * 255) / 255;
  }
}

Digits draw(int count, uint64_t seed, uint64_t first_stream) {
  Digits digits{Tensor::zeros(DType::kFloat, {count, kPixels}),
                Tensor::zeros(DType::kFloat, {count, kClasses})};
  float* image = digits.images.data<float>();
  auto labels = digits.labels.mat<float>();
  for (int i = 0; i < count; ++i, image += kPixels) {
    SplitMix random = random_stream(seed, first_stream + static_cast<uint64_t>(i));
    const int digit = static_cast<int>(random.next() % kClasses);
    labels(i, digit) = 1;
    draw_digit(digit, random, image);
  }
  return digits;
}

}  // namespace

DigitData draw_digits(uint64_t seed) {
  return {draw(kTrain, seed, 0), draw(kTest, seed, kTrain), "drawn digits, not MNIST"};
}

}  // namespace cairn
