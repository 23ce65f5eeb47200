// SPDX-License-Identifier: MIT

package vm

import "runtime"

func lockThread() { runtime.LockOSThread() }
