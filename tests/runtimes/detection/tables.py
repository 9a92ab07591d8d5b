"""Small tables of the project's own, shaped like what each tool prints, with devices that nobody has."""

PPU = """\
+-----------------------------------------------------------------+
| PPU-SMI 9.1     Driver Version: 9.2.3-abc  HGGC Version: 14.2   |
+-----------------------------+--------------------+--------------+
| PPU  Name     Persistence M. | Bus-Id            | Volatile Uncorr. ECC |
| Fan  Temp  Perf  Pwr:Usage/Cap | Memory-Usage    | PPU-Util  Compute M. |
|                                |                 |               MIG M. |
+================================+=================+======================+
| 3  PPU-ZW810E     N/A        | 00000001:0A:00.0  |                    2 |
| N/A  55C   N/A    310W / 400W | 90000MiB / 98304MiB |  77%    Default    |
|                              |                   |             Disabled |
+------------------------------+-------------------+----------------------+
"""
ASCEND_910C = """\
+-----------------------------------------------------------------------+
| npu-smi 26.1                 Version: 26.1                            |
+-----------------------+---------------+-------------------------------+
| NPU   Name            | Health        | Power(W)   Temp(C)       Hugepages-Usage(page)|
| Chip  Phy-ID          | Bus-Id        | AICore(%)  Memory-Usage(MB)   HBM-Usage(MB)   |
+=======================+===============+===============================================+
| 0     Ascend910       | OK            | 170.5      41            0    / 0             |
| 0     0               | 0000:9D:00.0  | 12         0    / 0      4000 / 65536         |
+-----------------------------------------------------------------------+
| 0     Ascend910       | Warning       | -          42            0    / 0             |
| 1     1               | 0000:9F:00.0  | 0          0    / 0      3000 / 65536         |
+=======================+===============+===============================================+
| 4     Ascend910       | OK            | 171.0      40            0    / 0             |
| 0     8               | 0000:A1:00.0  | 0          0    / 0      3000 / 65536         |
+-----------------------------------------------------------------------+
| 4     Ascend910       | OK            | -          40            0    / 0             |
| 1     9               | 0000:A3:00.0  | 0          0    / 0      3000 / 65536         |
+=======================+===============+===============================================+
+-----------------------+---------------+-----------------------------------------------+
| NPU     Chip          | Process id    | Process name             | Process memory(MB) |
+=======================+===============+===============================================+
| 0       0             | 4711          | python                   | 1000               |
+=======================+===============+===============================================+
"""
METAX = """\
| MX-SMI 9.9                     Kernel Mode Driver Version: 9.8.7  |
| MACA Version: 9.1              BIOS Version: 1                    |
|--------------------------------+-------------+--------------------|
| GPU         NAME               | Bus-id      | GPU-Util           |
| Temp        Pwr:Usage/Cap      | Memory-Usage | GPU-State         |
|================================+=============+====================|
| 7           MetaX C500         | 0000:0b:00.0 | 13%               |
| 61C         200W / 350W        | 1000/65536 MiB | Available       |
+--------------------------------+-------------+--------------------+
"""
MTHREADS = """\
-------------------------------------------------------
    mthreads-gmi:9.0     Driver Version:9.1.2
-------------------------------------------------------
ID   Name              |PCIe             |%GPU  Mem
     Device Type  Perf |Pcie Lane Width  |Temp  MPC Capable
                                         |      ECC Mode
+-----------------------------------------------------+
2    MTT S4000         |00000000:1b:00.0 |5%    100MiB(49152MiB)
     Physical     P0   |16x(16x)         |50C   YES
                                         |      N/A
+-----------------------------------------------------+
"""
CAMBRICON = """\
| CNMON v9.1.2                                Driver v9.1.3 |
+-------------------------+--------------+------------------+
| Card  VF  Name  Firmware |      Bus-Id | Util  Ecc-Error  |
| Fan   Temp  Pwr:Usage/Cap | Memory-Usage | SR-IOV  Compute-Mode |
|=========================+==============+==================|
| 0     /   MLU370-X8  v1  | 0000:39:00.0 | 3%    N/A        |
|  0%   32C  106 W/ 250 W  | 24 MiB/ 23374 MiB | N/A  Default |
+-------------------------+--------------+------------------+
| 1     /   MLU370-X8  v1  | 0000:3D:00.0 | 0%    N/A        |
|  0%   39C  N/A / N/A     | [N/A]        | N/A   Default    |
+-------------------------+--------------+------------------+
"""
ILUVATAR = """\
|  IX-ML: 9.4.0        Driver Version: 9.4.1      CUDA Version: 10.2 |
|----------------------------+------------------+--------------------|
| GPU  Name                  | Bus-Id           | Clock-SM  Clock-Mem |
| Fan  Temp  Perf  Pwr:Usage/Cap | Memory-Usage | GPU-Util  Compute M. |
|============================+==================+====================|
| 0    Iluvatar BI-V150      | 00000000:35:00.0 | 500MHz  1600MHz    |
| N/A  37C   P0    N/A / N/A | 64MiB / 32768MiB | 1%      Default    |
+----------------------------+------------------+--------------------+
| 1    Iluvatar BI-V150      | 00000000:38:00.0 | 500MHz  1600MHz    |
| N/A  36C   P0    40W / 350W | 64MiB / 32768MiB | 0%     Default    |
+----------------------------+------------------+--------------------+
"""
KUNLUN = """\
| XPU-SMI         Driver Version: 9.0.1    XPU-RT Version: 9.0  |
|---------------------------+------------------+----------------|
| XPU  Name    Persistence-M| Bus-Id    Disp.A | Volatile Uncorr. ECC |
| Fan  Temp  Perf  Pwr:Usage/Cap| Memory-Usage | XPU-Util  Compute M. |
|                           |         L3-Usage |          SR-IOV M. |
|===========================+==================+================|
|   5  P800 OAM       N/A   | 00000000:03:00.0 N/A |          0 |
| N/A   37C  N/A  88W / 400W | 1024MiB / 98304MiB |  9% Default |
|                           | 0MiB /  96MiB    |       Disabled |
+---------------------------+------------------+----------------+
"""
ENFLAME = """\
+2030-01-01, 00:00:00 UTC-------------------------------------+
|EFSMI    V9.2           Driver Ver: 9.2.1                    |
|-------------------------------------------------------------|
| DEV    NAME            | FW VER       | BUS-ID     ECC      |
| TEMP   Dpm   Pwr(Usage/Cap)| Mem  GCU Virt| DUsed    SN     |
|-------------------------------------------------------------|
| 1      S60             | 9.6          | 00:09:00.0 Enable   |
| 46 C   Active  128W  300W | 42976MiB Disable| 0.0%  Z123456789012 |
+-------------------------------------------------------------+
"""
GAUDI = """\
| HL-SMI Version:                    hl-9.18  |
| Driver Version:                    9.18.0   |
|--------------------+--------------+---------|
| AIP  Name   Persistence-M| Bus-Id  Disp.A | Volatile Uncorr. ECC |
| Fan  Temp  Perf  Pwr:Usage/Cap| Memory-Usage | AIP-Util  Compute M. |
|====================+==============+=========|
|   6  HL-325   N/A  | 0000:21:00.0  N/A |  0 |
| N/A   43C   N/A  264W / 900W | 672MiB / 131072MiB | 4%  N/A |
|--------------------+--------------+---------|
"""
GAUDI_CSV = """\
index, module_id, uuid, name, bus_id, memory.total [MiB], memory.used [MiB], utilization.aip [%], temperature.aip [C], driver_version
6, 2, 01P0-HL3000A0-1, HL-325, 0000:21:00.0, 131072 MiB, 672 MiB, 4 %, 43 C, 9.18.0
"""
AMD = """\
| AMD-SMI 99.2          amdgpu version: 9.16.13  ROCm version: 9.2.4 |
|-------------------------------------+------------------------------|
| BDF                        GPU-Name | Mem-Uti  Temp  UEC  Power-Usage |
| GPU  HIP-ID  OAM-ID  Partition-Mode | GFX-Uti   Fan        Mem-Usage |
|=====================================+==============================|
| 0000:83:00.0 ...Instinct MI300X OAM | 0 %    37 \N{DEGREE SIGN}C  3     160/750 W |
|   2       2       0        SPX/NPS1 | 8 %    N/A     285/196288 MB |
+-------------------------------------+------------------------------+
"""
HYGON = """\
=============== System Management Interface ===============
HCU     Temp     AvgPwr     Perf     PwrCap     VRAM%      HCU%      Mode
0       59.0C    114.0W     auto     400.0W     0%         7.0%      Normal
4       N/A      -          auto     N/A        0%         0.0%      Normal
================== End of SMI Log ==================
"""
HYGON_JSON = """\
{"card1": {"PCI Bus": "0000:43:00.0", "Card Series": "K100_AI", "VRAM Total Memory (B)": "68702699520",
 "VRAM Total Used Memory (B)": "2097152", "HCU use (%)": "3.0", "Temperature (Sensor edge) (C)": "41.0",
 "Average Graphics Package Power (W)": "99.0", "Max Graphics Package Power (W)": "400.0"},
 "system": {"Driver version": "9.3.2"}}
"""
NVIDIA_CSV = """\
index, uuid, name, pci.bus_id, memory.total [MiB], memory.free [MiB], utilization.gpu [%], temperature.gpu, power.draw [W], power.limit [W], driver_version, ecc.errors.uncorrected.volatile.total
0, GPU-1, NVIDIA H20, 00000000:18:00.0, 97871, 97000, 3, 31, 111.50, 500.00, 999.1, 0
2, GPU-2, NVIDIA GeForce RTX 4090, 00000000:3B:00.0, 49140, [N/A], [N/A], 35, [N/A], [Not Supported], 999.1, [N/A]
"""
NVIDIA = """\
| NVIDIA-SMI 999.1       Driver Version: 999.1     CUDA Version: 99.4 |
|-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|
|   1  NVIDIA H100 80GB HBM3          On  |   00000000:1B:00.0 Off |                    0 |
| N/A   30C    P0             70W /  700W |       4MiB /  81559MiB |      0%      Default |
|                                         |                        |             Disabled |
+-----------------------------------------+------------------------+----------------------+
"""
NEURON = """\
instance-type: trn2.48xlarge
instance-id: i-0
+--------+--------+--------+-----------+--------------+
| NEURON | NEURON | NEURON | CONNECTED |     PCI      |
| DEVICE | CORES  | MEMORY |  DEVICES  |     BDF      |
+--------+--------+--------+-----------+--------------+
| 0      | 4      | 96 GB  | 12, 3     | 0000:cc:00.0 |
| 7      | 4      | 96 GB  | N/A       | 0000:b5:00.0 |
+--------+--------+--------+-----------+--------------+
"""
NEURON_JSON = '[{"neuron_device":1,"bdf":"00:1e.0","connected_to":[0,2],"nc_count":2,"memory_size":34359738368}]'
INTEL_CSV = """\
Device ID,Device Name,Vendor Name,SOC UUID,PCI BDF Address,Memory Physical Size,Memory Free Size,Driver Version
0,"Intel(R) Arc(TM) Pro B60 Graphics","Intel(R) Corporation",0000-1,0000:03:00.0,24480.00 MiB,24000.00 MiB,9.9.1
"""
BIREN = """\
| GPU  Id  |     Name     |  Mode  |  Temperature  |  Power  |  Memory      |
|==========================================================================|
|   0      | Biren106M    |  N/A   |   45 C        |  250W   |  512MiB/32512MiB   |
+--------------------------------------------------------------------------+
"""
METAX_BOARDS = """\
| MX-SMI 9.9.1                     Kernel Mode Driver Version: 9.8.30 |
| MACA Version: 9.7.1.5            BIOS Version: 9.33                 |
|------------------+-----------------+---------------------+----------------------|
| Board       Name | GPU   Persist-M | Bus-id              | GPU-Util      sGPU-M |
| Pwr:Usage/Cap    | Temp   Perf     | Memory-Usage        | GPU-State            |
|==================+=================+=====================+======================|
| 2     MetaX C500 | 5           Off | 0000:12:00.0        | 4%          Disabled |
| 37W / 350W       | 31C    P0       | 858/65536 MiB       | Available            |
+------------------+-----------------+---------------------+----------------------+
"""
AMD_APART = """\
| AMD-SMI            99.0.0                                                |
| amdgpu Version:    9.19.4                                                |
| ROCm Version:      9.14.0                                                |
|-------------------------------------+------------------------------------|
| BDF                        GPU-Name | Mem-Uti   Temp   UEC   Power-Usage |
| GPU  HIP-ID  OAM-ID  Partition-Mode | GFX-Uti    Fan           Mem-Usage |
|=====================================+====================================|
| 0001:01:00.0    AMD Instinct MI325X | 0 %      29 \N{DEGREE SIGN}C  0            42 W |
|   1       1       1        SPX/NPS1 | 2 %        N/A     25/262128 MB   |
+-------------------------------------+------------------------------------+
"""
