# cmake -C scripts/cmake/asan.cmake: AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer.
set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g" CACHE STRING "")
set(GR_SANITIZE address CACHE STRING "")
