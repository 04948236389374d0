//! The types of `cubecl-llvm` that `cubecl-cuda` names, without the compiler behind them.
//!
//! `cubecl-cuda` can make a kernel in two ways: CUDA C++ for NVRTC, or LLVM. Its feature `cpp`, which `pilot` sets, takes
//! the first, yet it is built with both, and the published `cubecl-llvm` fetches a whole LLVM while it is built. That is
//! impossible where only a crate registry is reached. There this crate takes its place, for one call of cargo:
//!
//! ```sh
//! cargo xtask without-llvm build --release --package pilotlight-cli --features wgpu,cuda
//! ```
//!
//! Nothing of it runs, and if anything did, it would say so in an error.

use std::{ffi::c_char, fmt};

use cubecl_core::{Compiler, ir::nvidia::SmArch, prelude::KernelDefinition};
use cubecl_environment::backtrace::BackTrace;
use cubecl_runtime::{compiler::CompilationError, kernel::BufferIOAttr};

/// Code for NVIDIA's virtual machine, PTX.
pub mod nvptx {
    /// Versions of that code.
    pub mod ptx_version {
        use std::fmt;

        /// No version: there is nothing to write the code with.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum PtxVersion {}

        impl PtxVersion {
            /// None for any driver.
            pub fn for_driver(_driver: i32) -> Option<Self> {
                None
            }
        }

        impl fmt::Display for PtxVersion {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {}
            }
        }
    }
}

/// What the targets have in common.
pub mod shared {
    /// What the compiler leaves of a device's abilities.
    pub mod lowered_features {
        use cubecl_core::ir::DeviceProperties;

        /// A kind of device.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum GpuTarget {
            /// NVIDIA's.
            Nvptx,
        }

        /// Takes nothing away. It is called for LLVM alone.
        pub fn restrict_features(_properties: &mut DeviceProperties, _target: GpuTarget) {}
    }
}

/// A kind of device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LlvmTarget {
    /// NVIDIA's.
    #[default]
    Nvptx,
}

/// A compiler that refuses every kernel.
#[derive(Debug, Clone)]
pub struct PlironCompiler {
    /// What it would compile for.
    pub target: LlvmTarget,
}

/// The compiler's options, which nothing reads.
#[derive(Debug, Clone, Default)]
pub struct PlironOptions {
    /// An AMD device.
    pub arch: Option<()>,
    /// An NVIDIA device.
    pub sm_arch: Option<SmArch>,
    /// The version of PTX.
    pub ptx_version: Option<nvptx::ptx_version::PtxVersion>,
    /// Whether parameters are constants of a launch.
    pub grid_constants: bool,
}

/// A compiled kernel.
#[derive(Debug, Clone)]
pub struct NvptxModule {
    /// Its code.
    pub ptx: Vec<c_char>,
    /// Its function's name.
    pub entrypoint: String,
    /// What the code was made from.
    pub ir: String,
    /// Bytes of shared memory.
    pub shared_memory_size: usize,
    /// Which buffers it reads and writes.
    pub io: Vec<BufferIOAttr>,
}

/// What the compiler makes: nothing, ever.
#[derive(Clone)]
pub enum PlironArtifact {
    /// A kernel for NVIDIA's devices.
    NvptxCode(NvptxModule),
}

impl fmt::Display for PlironArtifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::NvptxCode(module) = self;
        f.write_str(&module.ir)
    }
}

impl Compiler for PlironCompiler {
    type Representation = PlironArtifact;
    type CompilationOptions = PlironOptions;

    fn compile(
        &mut self,
        _kernel: KernelDefinition,
        _options: &PlironOptions,
    ) -> Result<PlironArtifact, CompilationError> {
        Err(CompilationError::Generic {
            reason: "this program was built without LLVM, and the feature `cpp` of `cubecl-cuda`, which does without it, is off"
                .to_owned(),
            backtrace: BackTrace::capture(),
        })
    }

    fn extension(&self) -> &'static str {
        "ll"
    }

    fn lang_tag(&self) -> &'static str {
        "mlir"
    }
}
