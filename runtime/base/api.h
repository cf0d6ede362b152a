// What a shared libcairn shows of itself. Public headers open the namespace as
//
//   namespace CAIRN_API cairn {
//
// and everything else in the library is hidden. A static libcairn is built with -DCAIRN_API= and
// shows nothing, so that two plugins of one process that each hold a copy of it do not take each
// other's functions.
#pragma once

#ifndef CAIRN_API
#define CAIRN_API [[gnu::visibility("default")]]
#endif

// After a member function: what it returns must not outlive the object. clang warns where it does.
#ifdef __clang__
#define CAIRN_LIFETIMEBOUND [[clang::lifetimebound]]
#else
#define CAIRN_LIFETIMEBOUND
#endif
