//! The devices of the backends that make kernels for a GPU as they go.

use burn::cubecl::device::Device as Gpu;

use super::{
    found::{Open, Opened},
    kernels,
};

/// Where there is no desktop, has Vulkan's loader leave out the layer of Mesa that looks for one to choose a card by: at
/// every look it complains on standard error. To be called first, before other threads run.
#[cfg(all(feature = "wgpu", target_os = "linux"))]
#[allow(unsafe_code)]
pub(super) fn without_desktop() {
    const SWITCH: &str = "NODEVICE_SELECT";
    let desktop = ["DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", SWITCH];
    if desktop.iter().all(|it| std::env::var_os(it).is_none()) {
        // SAFETY: no other thread runs yet that could read variables.
        unsafe { std::env::set_var(SWITCH, "1") };
    }
}

/// The devices of CUDA.
#[cfg(feature = "cuda")]
pub(super) fn cuda() -> Vec<Open> {
    listed((0..).map_while(|index| Gpu::cuda(index).ok()))
}

/// The devices of wgpu.
///
/// On Linux those of Vulkan. Where Vulkan has no card, wgpu's own choice asks OpenGL too, which has not all that the
/// kernels need.
#[cfg(feature = "wgpu")]
pub(super) fn wgpu() -> Vec<Open> {
    use burn::cubecl::device::WgpuDeviceKind::{
        self, Cpu, DiscreteGpu, IntegratedGpu, Other, VirtualGpu,
    };

    let of_kind = |kind| match cfg!(target_os = "linux") {
        true => Gpu::vulkan(kind).ok(),
        false => Gpu::wgpu(kind).ok(),
    };
    let kinds: [fn(usize) -> WgpuDeviceKind; 4] = [DiscreteGpu, IntegratedGpu, VirtualGpu, Other];
    let cards = kinds
        .into_iter()
        .flat_map(|kind| (0..).map_while(move |index| of_kind(kind(index))));
    listed(cards.chain(of_kind(Cpu)))
}

fn listed(found: impl Iterator<Item = Gpu>) -> Vec<Open> {
    // Settled before the first of them is opened.
    let _ = kernels::folder();
    found.map(open).collect()
}

fn open(gpu: Gpu) -> Open {
    Box::new(move || {
        let client = gpu.client();
        let properties = client.properties();
        Opened {
            name: properties.identity.name.clone(),
            memory_bytes: properties.memory.max_memory(),
            is_hardware: properties.identity.physical.is_some(),
            device: gpu.into(),
        }
    })
}
