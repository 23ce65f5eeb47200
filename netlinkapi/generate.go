// SPDX-License-Identifier: MIT

package netlinkapi

//go:generate go run crctl/internal/gencontract -enums -header ../kmod/uapi/ckpt.h -o contract_gen.go -pkg netlinkapi
