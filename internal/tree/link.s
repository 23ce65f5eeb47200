// SPDX-License-Identifier: MIT
//
// Empty on purpose: with an assembly file in the package the compiler accepts
// the functions without body in fork.go, which the runtime provides.
