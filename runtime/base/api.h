// The symbols that a shared libcairn exports. Public headers open the namespace as
//
//   namespace CAIRN_API cairn {
//
// and everything else in the library is hidden. A static libcairn is built with -DCAIRN_API= and
// exports nothing, so that two plugins in one process that each link a copy of it do not call each
// other's functions.
#pragma once

#ifndef CAIRN_API
#define CAIRN_API [[gnu::visibility("default")]]
#endif

// After a member function: its result must not outlive the object. clang warns where it does.
//
//   for (float y : session.run(x).span<float>())   // clang: warning, the tensor is destroyed first
#ifdef __clang__
#define CAIRN_LIFETIMEBOUND [[clang::lifetimebound]]
#else
#define CAIRN_LIFETIMEBOUND
#endif
