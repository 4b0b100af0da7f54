# A toolchain file for cross builds on Debian: cmake --toolchain scripts/cmake/cross.cmake -D GR_ARCH=arm64
# GR_ARCH is Debian's name of the architecture. scripts/bootstrap --package --arch GR_ARCH installs its compiler, its
# libraries and qemu-user.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES GR_ARCH)
foreach(name IN ITEMS CPU TYPE)
  execute_process(COMMAND dpkg-architecture -a ${GR_ARCH} -q DEB_HOST_GNU_${name}
    OUTPUT_VARIABLE gr_${name}
    OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_QUIET # a warning that CC, if set, is not of this architecture
    COMMAND_ERROR_IS_FATAL ANY)
endforeach()

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${gr_CPU})
set(CMAKE_C_COMPILER ${gr_TYPE}-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE ${gr_TYPE})
set(PKG_CONFIG_EXECUTABLE ${gr_TYPE}-pkg-config)
# The libraries of the other architecture are where the emulator looks for them by itself.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${gr_CPU})
